"""A write while another process holds the database: try again, and nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from catalog.models import Provider
from tests.factories import make_offer, make_provider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held_database(admin_client: Client) -> Iterator[None]:
    """Another connection holds the one write lock; waiting for it is cut short."""
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite has one lock for all writers")
    make_provider(slug="wren", name="Wren Cloud")
    admin_client.get("/catalog/providers/")  # whatever a first visit writes is written
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=20")
    holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, uri=True)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()
    connection.close()  # the next one waits as settings say


@pytest.mark.usefixtures("held_database")
def test_a_write_says_to_try_again(admin_client: Client) -> None:
    """A page for people, a toast for htmx, JSON for programs; reading goes on."""
    url = "/catalog/providers/wren/switch/"
    page = admin_client.post(url, {"is_enabled": "0"})
    assert page.status_code == 503
    assert page["Retry-After"] == "5"
    assert "Try again in a moment" in page.content.decode()
    toast = admin_client.post(url, {"is_enabled": "0"}, headers={"HX-Request": "true"})
    assert toast.status_code == 503
    assert "Try again" in toast["HX-Trigger"]
    program = admin_client.post(url, headers={"Accept": "application/json"})
    assert program.json()["error"]["status"] == 503
    assert admin_client.get("/catalog/providers/wren/").status_code == 200
    assert Provider.objects.get().is_enabled


@pytest.fixture
def full_disk(admin_client: Client) -> Iterator[None]:
    """The database may grow no further, which SQLite tells in the words of a full disk."""
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite lets a test limit its file")
    make_offer()
    admin_client.get("/catalog/")  # whatever a first visit writes is written
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")  # what other tests deleted is no room
        cursor.execute("PRAGMA max_page_count=1")  # never less than it has
        yield
        cursor.execute("PRAGMA max_page_count=4294967294")
    connection.close()


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_told(admin_client: Client) -> None:
    """A page that names the remedy; what is there can still be read."""
    typed = {"prompt": "long " * 30_000, "may_fall_back": "on"}
    page = admin_client.post("/playground/send/", typed)
    assert page.status_code == 503
    assert "disk that holds the database is full" in page.content.decode()
    assert admin_client.get("/catalog/").status_code == 200

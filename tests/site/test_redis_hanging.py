"""A Redis that hangs, which is worse than one that is gone: every question costs a timeout."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from catalog.models import Refresh, RefreshState
from tests.factories import make_user
from tests.servers import RedisServer

PAGES = (
    *("/", "/catalog/", "/catalog/providers/", "/playground/", "/account/", "/styleguide/"),
    *("/monitoring/limits/", "/monitoring/breakers/"),
)


@pytest.fixture
def hang(redis_server: RedisServer) -> Iterator[Callable[[bool], None]]:
    """Stop the server's clock, or let it run again; it runs again after the test."""
    assert redis_server.process is not None
    pid = redis_server.process.pid

    def switch(hangs: bool) -> None:
        os.kill(pid, signal.SIGSTOP if hangs else signal.SIGCONT)

    yield switch
    switch(False)


def _says_so(page: str) -> bool:
    return "Redis away: limits per process" in page


def test_pages_wait_for_it_once_and_say_so(
    admin_client: Client, hang: Callable[[bool], None]
) -> None:
    """Not once for each thing they would ask it: each page took at least a second and a half."""
    for path in PAGES:
        admin_client.get(path)
    hang(True)
    began = time.monotonic()
    pages = [admin_client.get(path) for path in PAGES * 3]
    took_s = time.monotonic() - began

    assert {page.status_code for page in pages} == {200}
    assert all(_says_so(page.text) for page in pages)
    assert took_s < 1.0 * len(pages)  # a tenth of it on an idle machine
    assert admin_client.get("/readyz").json()["status"] == "degraded"

    hang(False)
    deadline = time.monotonic() + 20
    while _says_so(admin_client.get("/account/").text):
        assert time.monotonic() < deadline, "it never noticed that Redis is back"
    assert admin_client.get("/readyz").json()["status"] == "ok"


def test_one_may_sign_in_and_stays_signed_in(
    client: Client, db: None, hang: Callable[[bool], None]
) -> None:
    """Sessions are in the database too, and a throttle that cannot count lets in."""
    user = make_user(role="viewer")
    user.set_password("correct horse battery")
    user.save()
    hang(True)
    form = {"username": user.username, "password": "correct horse battery"}

    assert client.post("/sign-in/", form).status_code == 302
    assert client.get("/account/").status_code == 200


def test_a_refresh_that_cannot_be_queued_says_so(
    transactional_db: None, hang: Callable[[bool], None]
) -> None:
    """The broker is that Redis; without a timeout the button waited for ever."""
    client = Client()
    client.force_login(make_user(role="operator"))
    hang(True)
    assert client.post("/catalog/refresh/").status_code < 400

    refresh = Refresh.objects.get()
    assert refresh.state == RefreshState.FAILED
    assert "Redis" in refresh.detail

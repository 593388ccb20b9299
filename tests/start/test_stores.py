"""The same product on PostgreSQL and RabbitMQ: other addresses, no other code."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.product import Product

pytestmark = pytest.mark.xdist_group("product")

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")


def _absent(service: str, reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{service} must answer in CI: {reason}")
    pytest.skip(f"no {service} here: {reason}")


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A database of this test's own."""
    name = f"freellm_{uuid.uuid4().hex[:12]}"
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        _absent("PostgreSQL", str(error))
    with connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield POSTGRES.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def rabbitmq_url() -> str:
    try:
        socket.create_connection(("127.0.0.1", 5672), timeout=5).close()
    except OSError as error:
        _absent("RabbitMQ", str(error))
    return RABBITMQ


REQUEST = """
from catalog.services import request_refresh
print(request_refresh().pk)
"""
LOOK = """
from catalog.models import Offer, Refresh
refresh = Refresh.objects.latest('pk')
print(refresh.state, refresh.results.filter(is_ok=True).count(), Offer.objects.count())
"""


def test_a_refresh_runs_on_postgresql_through_rabbitmq(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, rabbitmq_url: str
) -> None:
    """The site starts, and a worker fed by RabbitMQ renews the simulators' lists."""
    product = Product(
        tmp_path_factory.mktemp("q"), DATABASE_URL=postgres_url, CELERY_BROKER_URL=rabbitmq_url
    )
    try:
        product.start()
        product.manage("shell", "-c", REQUEST)
        deadline = time.monotonic() + 40
        state: list[str] = []
        while state[:1] != ["done"] and time.monotonic() < deadline:
            state = product.manage("shell", "-c", LOOK).split()[-3:]
        assert state[0] == "done", product.log("worker")
        assert int(state[1]) >= 1
        assert int(state[2]) > 400
    finally:
        product.stop()

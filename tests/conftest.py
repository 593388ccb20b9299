"""What every test may ask for: a real Redis, users of each role, signed-in clients."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import AsyncClient, Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from catalog import choices, measured, rows, snapshot, standing
from freellm_site.lib.redis_watch import redis_watch
from monitoring.breakers.sampler import BREAKERS
from tests import factories
from tests.servers import RedisServer

# A loaded machine is no reason to call a test slow.
hypothesis_settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The embedded Redis binary on this test process' own socket, where settings expect it."""
    server = RedisServer(Path(settings.VAR_DIR) / "redis.sock")
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def _flushed_redis(redis_server: RedisServer) -> None:
    """Every test begins with an empty Redis that answers, and nothing kept from another."""
    shutil.rmtree(Path(settings.VAR_DIR) / "cache", ignore_errors=True)
    redis_server.ensure_running()
    with Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
    for kept in (choices, measured, rows, snapshot, standing, BREAKERS):
        kept.forget()
    redis_watch.forget()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture
async def redis_client(redis_server: RedisServer) -> AsyncIterator[AsyncRedis]:
    async with AsyncRedis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture(autouse=True)
def _plain_static_files(settings: object) -> None:
    """Pages are tested without a collected manifest."""
    settings.STORAGES = {  # type: ignore[attr-defined]  # pytest-django's wrapper
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.SERVESTATIC_USE_MANIFEST = False  # type: ignore[attr-defined]  # as above


def _signed_in(role: str) -> Client:
    client = Client()
    client.force_login(factories.make_user(role=role))
    return client


@pytest.fixture
def viewer_client(db: None) -> Client:
    return _signed_in("viewer")


@pytest.fixture
def operator_client(db: None) -> Client:
    return _signed_in("operator")


@pytest.fixture
def admin_client(db: None) -> Client:
    return _signed_in("admin")


@pytest.fixture
async def operator_async_client(transactional_db: None) -> AsyncClient:
    """An async client of an operator; its database is a real one, seen by every thread."""
    client = AsyncClient()
    await client.aforce_login(await factories.amake_user(role="operator"))
    return client

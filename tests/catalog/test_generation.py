"""The number by which processes see that the catalog changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.db import connection

from catalog import generation
from freellm_site.lib.redis_watch import redis_watch
from tests.catalog.list_server import ListServer
from tests.catalog.refreshing import refreshed
from tests.factories import make_provider
from tests.servers import RedisServer


def test_it_grows() -> None:
    """From nought, by one."""
    assert generation.current() == 0
    generation.bump()
    generation.bump()
    assert generation.current() == 2


def test_without_redis_nothing_fails(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A change of the catalog never depends on Redis, and reading says that nothing is known."""
    redis_server.kill()

    generation.bump()

    assert generation.current() is None
    assert "could not be raised" in caplog.text
    redis_server.ensure_running()
    redis_watch.forget()
    generation.bump()
    assert generation.current() == 1


LOOK = """
import sys, time, django
django.setup()
from catalog.snapshot import snapshot
print("ready", len(snapshot().candidates), flush=True)
for line in sys.stdin:
    wanted, until = int(line), time.monotonic() + 20
    while len(snapshot().candidates) != wanted and time.monotonic() < until:
        pass
    print(time.time(), len(snapshot().candidates), flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_another_processs_snapshot_is_renewed_after_a_refresh(redis_server: RedisServer) -> None:
    """Within a second of the commit, without being told by anything but Redis."""
    server = ListServer()
    server.start()
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b", "b-2b"))
    other = subprocess.Popen(
        [sys.executable, "-c", LOOK],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "ready 0\n"
        other.stdin.write("2\n")
        other.stdin.flush()
        refreshed(provider)
        committed = time.time()
        seen_at, count = other.stdout.readline().split()
    finally:
        other.kill()
        other.communicate(timeout=20)
        server.stop()
    assert int(count) == 2
    assert float(seen_at) - committed < 1.0

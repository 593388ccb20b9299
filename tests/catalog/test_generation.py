"""The number by which processes see that the catalog changed."""

from __future__ import annotations

import pytest

from catalog import generation
from freellm_site.lib.redis_watch import redis_watch
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

"""Redis killed, gone from the start, frozen, full, without its scripts: calls go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway import keys
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.policy import StaticPolicy
from gateway.types import Target, parse_limits
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import answers, ask, refuses, upstream
from tests.servers import RedisServer


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be ill-treated."""
    server = RedisServer(Path(tmp_path_factory.mktemp("r")) / "redis.sock")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def gateway(own_redis: RedisServer) -> AsyncIterator[Gateway]:
    async with Gateway.open(own_redis.url, policy=StaticPolicy(QUICK)) as opened:
        yield opened


def is_degraded(gateway: Gateway) -> bool:
    return gateway.is_degraded


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.01)


async def passes(gateway: Gateway, target: Target, times: int) -> int:
    """How many of so many calls are let through."""
    passed = 0
    for _ in range(times):
        try:
            await gateway.complete(ask(), [target])
        except AllTargetsFailed:
            continue
        passed += 1
    return passed


async def test_redis_killed_and_restarted(gateway: Gateway, own_redis: RedisServer) -> None:
    """Calls go on with this process' share, events wait, and all recovers by itself."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"rpm": 40}))
        await gateway.complete(ask(), [target])
        await gateway.drain()
        assert not is_degraded(gateway)

        own_redis.kill()
        assert await passes(gateway, target, 20) == 9  # a quarter of 40, one used before
        assert is_degraded(gateway)
        await gateway.drain()

        own_redis.start()
        await until(lambda: not gateway.is_degraded)
        await gateway.complete(ask(), [target])
        await gateway.drain()
        async with Redis.from_url(own_redis.url) as redis:
            assert await redis.xlen(keys.EVENT_STREAM) == 20 + 1
        # The 9 of the dark time were told to Redis, and one more.
        level = (await gateway.levels([target]))[target]
        assert level.limits[0].left == 30


async def test_reads_are_unknown_without_redis(gateway: Gateway, own_redis: RedisServer) -> None:
    """Levels and breakers say that they do not know, rather than that all is well."""
    async with upstream(answers) as provider:
        target = provider.target()
        own_redis.kill()
        assert not (await gateway.levels([target]))[target].is_known
        assert (await gateway.breaker_states([("acme", "m")]))["acme", "m"].state is None
        assert await gateway.cache_counters("2026-11-22") == {}
        kept = [await gateway.complete(ask(temperature=0), [target]) for _ in range(2)]
    assert [one.cached for one in kept] == ["", "memory"]


async def test_a_frozen_redis_hangs_nobody(gateway: Gateway, own_redis: RedisServer) -> None:
    """One call finds out, within a second; the next ones do not even ask."""
    assert own_redis.process is not None
    async with upstream(answers) as provider:
        await gateway.complete(ask(), [provider.target()])
        await gateway.drain()
        os.kill(own_redis.process.pid, signal.SIGSTOP)
        try:
            loop = asyncio.get_running_loop()
            began = loop.time()
            await gateway.complete(ask(), [provider.target()])
            assert loop.time() - began < 2.5
            assert gateway.is_degraded
            began = loop.time()
            await gateway.complete(ask(), [provider.target()])
            assert loop.time() - began < 0.4
        finally:
            os.kill(own_redis.process.pid, signal.SIGCONT)
        await until(lambda: not gateway.is_degraded)


async def test_breakers_of_one_process(own_redis: RedisServer) -> None:
    """Without Redis each process has its own breakers, and a block holds as well."""
    own_redis.kill()
    async with Gateway.open(own_redis.url, policy=StaticPolicy(QUICK)) as gateway:
        async with upstream(refuses(503)) as provider:
            assert await passes(gateway, provider.target(), 10) == 0
            assert len(provider.received) == 5
        async with upstream(refuses(429, {}, {"Retry-After": "60"})) as provider:
            target = provider.target(provider="other")
            assert await passes(gateway, target, 5) == 0
            assert len(provider.received) == 1


async def test_no_redis_by_choice() -> None:
    """An engine without a URL works alone."""
    async with Gateway.open(None, policy=StaticPolicy(QUICK)) as gateway, upstream(answers) as one:
        assert gateway.is_degraded
        assert (await gateway.complete(ask(), [one.target()])).text == "Hello."


async def test_scripts_flushed(gateway: Gateway, own_redis: RedisServer) -> None:
    """A Redis that has forgotten the scripts gets them again."""
    async with upstream(answers) as provider, Redis.from_url(own_redis.url) as redis:
        target = provider.target(limits=parse_limits({"rpm": 10}))
        await gateway.complete(ask(), [target])
        await redis.script_flush()
        await gateway.complete(ask(), [target])
        await gateway.drain()
        assert (await gateway.levels([target]))[target].limits[0].left == 8


async def test_a_full_redis(gateway: Gateway, own_redis: RedisServer) -> None:
    """Out of memory for writes is as good as away, until there is room again."""
    async with upstream(answers) as provider, Redis.from_url(own_redis.url) as redis:
        await redis.config_set("maxmemory", "1")
        target = provider.target(limits=parse_limits({"rpm": 8}))
        assert await passes(gateway, target, 5) == 2
        assert gateway.is_degraded
        await redis.config_set("maxmemory", "0")
        await until(lambda: not gateway.is_degraded)
        assert await passes(gateway, target, 1) == 1

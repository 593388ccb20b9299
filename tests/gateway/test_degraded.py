"""Redis killed, gone from the start, frozen, full, without its scripts: calls go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway import keys
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, RateLimited
from gateway.limiter.limiter import Limiter
from gateway.policy import BreakerPolicy, StaticPolicy
from gateway.store import Store
from gateway.types import Target, parse_limits
from tests.gateway.conftest import QUICK
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import answers, ask, make_target, refuses, upstream
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
            assert len(provider.received) == BreakerPolicy().offer_min_calls
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


async def test_redis_killed_and_restarted_under_load(
    gateway: Gateway, own_redis: RedisServer
) -> None:
    """Whatever moment it dies and returns at, no call fails for it, and no call hangs."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"rpm": 100_000}))
        done = 0

        async def caller() -> None:
            nonlocal done
            while done < 400:
                await gateway.complete(ask(), [target])
                done += 1

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(caller())
            await until(lambda: done > 50)
            own_redis.kill()
            await until(lambda: gateway.is_degraded)
            await until(lambda: done > 150)
            own_redis.start()
            await until(lambda: not gateway.is_degraded)
        assert done >= 400
        assert await passes(gateway, target, 3) == 3
        assert not is_degraded(gateway)
        await gateway.drain()
        # Killed without a copy of its memory: what was told since its return is there.
        level = (await gateway.levels([target]))[target].limits[0]
        assert 0 < 100_000 - level.left <= len(provider.received) + 8


async def test_a_slow_redis(own_redis: RedisServer) -> None:
    """A tenth of a second for every trip: calls take that longer, and the quota still holds."""
    async with (
        slow_road(own_redis, 0.1) as url,
        Gateway.open(url, policy=StaticPolicy(QUICK)) as gateway,
        upstream(answers) as provider,
    ):
        target = provider.target(limits=parse_limits({"rpm": 5}))
        calls = (gateway.complete(ask(str(number)), [target]) for number in range(12))
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(one, AllTargetsFailed) for one in ended) == 7
        assert len(provider.received) == 5
        assert not gateway.is_degraded


@asynccontextmanager
async def slow_road(redis: RedisServer, delay_s: float) -> AsyncIterator[str]:
    """A port that leads to Redis; what it replies takes so long to arrive."""
    running: set[asyncio.Task[None]] = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        from_redis, to_redis = await asyncio.open_unix_connection(str(redis.socket))
        back = asyncio.create_task(_carry(from_redis, writer, delay_s))
        try:
            with suppress(asyncio.CancelledError):
                await _carry(reader, to_redis, 0)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
            for one in (writer, to_redis):
                one.close()
                with suppress(ConnectionError):
                    await one.wait_closed()

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            await asyncio.sleep(delay_s)
            writer.write(data)


async def test_the_servers_clock_set_back_an_hour(redis_url: str) -> None:
    """What was used stays used, and nobody waits for longer than the hour and the window."""
    target = make_target(limits=parse_limits({"rpm": 3}))
    clock = ManualClock()
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(QUICK), clock)
        for _ in range(3):
            await limiter.reserve(target, 1, 1)
        clock.now_us -= 3_600_000_000
        with pytest.raises(RateLimited) as caught:
            await limiter.reserve(target, 1, 1)
        wait_s = caught.value.retry_after_s
        assert wait_s is not None
        assert 3600 < wait_s < 3600 + 62
        clock.now_us += int(wait_s * 1e6) + 1
        await limiter.reserve(target, 1, 1)

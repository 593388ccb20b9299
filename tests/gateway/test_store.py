"""The way to Redis: shared trips, cancellation, and coming back after an absence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from gateway.store import Script, Store, StoreAwayError
from tests.servers import RedisServer

_PEEK = Script(
    "lua/time.lua", "limiter/lua/window.lua", "limiter/lua/limits.lua", "limiter/lua/peek.lua"
)


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the test's own, to be ill-treated."""
    server = RedisServer(Path(tmp_path_factory.mktemp("r")) / "redis.sock")
    server.start()
    yield server
    server.kill()


async def test_what_is_asked_together_travels_together(redis_url: str) -> None:
    """A hundred askers of one moment cost one trip, and each gets its own replies."""
    async with Store(redis_url) as store:
        numbers = range(100)
        replies = await asyncio.gather(
            *(store.ask(("SET", f"n{one}", one), ("GET", f"n{one}")) for one in numbers)
        )
        assert replies == [[b"OK", str(one).encode()] for one in numbers]
        assert store.round_trips == 1


async def test_a_refused_command_harms_nobody_else(redis_url: str) -> None:
    """The error goes to the one who asked for it."""
    async with Store(redis_url) as store:
        wrong = store.ask(("SET", "text", "x"), ("INCR", "text"))
        right = store.ask(("INCR", "number"))
        with pytest.raises(ResponseError):
            await wrong
        assert await right == [1]
        assert not store.is_degraded


async def test_an_unknown_script_is_sent_in_full(redis_url: str) -> None:
    """The first asker of a new Redis does not notice."""
    async with Store(redis_url) as store:
        both = (store.run(_PEEK, ["state"], [0, 1, 0, 1]) for _ in range(2))
        assert await asyncio.gather(*both) == [[0], [0]]


async def test_no_cancellation_is_lost_while_it_connects(redis_url: str) -> None:
    """Whenever a task is cancelled that asks first, it ends as cancelled."""
    for turns in range(40):
        async with Store(redis_url) as store:
            task = asyncio.create_task(_asks_for_ever(store))
            for _ in range(turns % 20):
                await asyncio.sleep(0)
            if turns >= 20:
                await asyncio.sleep((turns - 20) / 10_000)
            task.cancel()
            async with asyncio.timeout(5):
                await asyncio.wait([task])
            assert task.cancelled()


async def _asks_for_ever(store: Store) -> None:
    while True:
        await store.ask(("PING",))


async def test_what_was_asked_is_sent_though_nobody_waits(redis_url: str) -> None:
    """Cancelling the wait does not take the question back."""
    async with Store(redis_url) as store:
        asking = store.ask(("SET", "told", "yes"))
        asking.cancel()
        assert await store.ask(("GET", "told")) == [b"yes"]


async def test_closing_while_redis_is_away(own_redis: RedisServer) -> None:
    """Nothing keeps an engine from being closed, though its watcher looks for Redis."""
    for _ in range(5):
        async with asyncio.timeout(5), Store(own_redis.url) as store:
            own_redis.kill()
            with pytest.raises(StoreAwayError):
                await store.ask(("PING",))
            with pytest.raises(StoreAwayError):
                await store.ask(("PING",))
        own_redis.start()


async def test_away_again_while_it_comes_back(own_redis: RedisServer) -> None:
    """Redis may be lost once more while what waited for it is being told."""
    async with Store(own_redis.url) as store:
        times = 0
        is_back = asyncio.Event()

        async def ask_the_dead() -> None:
            nonlocal times
            times += 1
            if times == 1:
                own_redis.kill()
                with pytest.raises(StoreAwayError):
                    await store.ask(("PING",))
                own_redis.start()
            else:
                is_back.set()

        store.when_back(ask_the_dead)
        own_redis.kill()
        with pytest.raises(StoreAwayError):
            await store.ask(("PING",))
        own_redis.start()
        async with asyncio.timeout(10):
            await is_back.wait()
        assert not store.is_degraded
        assert await store.ask(("PING",)) == [b"PONG"]


async def test_one_refused_action_does_not_keep_the_others(own_redis: RedisServer) -> None:
    """What Redis refuses when it is back is logged; the rest is told all the same."""
    async with Store(own_redis.url) as store:
        is_told = asyncio.Event()

        async def wrong() -> None:
            await store.ask(("SET", "text", "x"), ("INCR", "text"))

        async def right() -> None:
            is_told.set()

        store.when_back(wrong)
        store.when_back(right)
        own_redis.kill()
        with pytest.raises(StoreAwayError):
            await store.ask(("PING",))
        own_redis.start()
        async with asyncio.timeout(10):
            await is_told.wait()


async def test_an_idle_connection_that_went_stale(own_redis: RedisServer) -> None:
    """A Redis restarted behind our back is reached again without anybody noticing."""
    async with Store(own_redis.url) as store:
        await store.ask(("PING",))
        own_redis.kill()
        own_redis.start()
        assert await store.ask(("PING",)) == [b"PONG"]
        assert not store.is_degraded


async def test_another_server_takes_over_the_address(tmp_path: Path) -> None:
    """A failover: the same address leads to another Redis, which knows no script of ours."""
    servers = [RedisServer(tmp_path / f"{number}.sock") for number in (1, 2)]
    address = tmp_path / "redis.sock"
    for server in servers:
        server.start()
    try:
        address.symlink_to(servers[0].socket)
        async with Store(f"unix://{address}") as store:
            await store.ask(("SET", "who", "first"))
            await store.run(_PEEK, ["block"], [0])
            address.unlink()
            address.symlink_to(servers[1].socket)
            servers[0].kill()
            async with asyncio.timeout(10):
                while True:
                    try:
                        assert await store.run(_PEEK, ["block"], [0])
                        break
                    except StoreAwayError:
                        await asyncio.sleep(0.05)
            assert await store.ask(("GET", "who")) == [None]
            assert not store.is_degraded
    finally:
        for server in servers:
            server.kill()

"""What who looks after the cache sees and does: counted by time, listed, opened, cleared."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.cache.counts import DAY, HOUR, MINUTE
from gateway.cache.kinds import BENCHMARK, CREDENTIALS, MODEL_METADATA
from gateway.client import Gateway
from gateway.policy import StaticPolicy
from gateway.store import StoreAwayError
from tests.gateway.conftest import QUICK
from tests.gateway.test_tiered_cache import Opened, Origin, opened, until
from tests.gateway.upstream import Received, Wire, ask, chat, upstream
from tests.servers import RedisServer

__all__ = ["opened"]  # the fixture


async def test_counts_are_told_by_themselves_for_the_minute_hour_and_day(gateway: Gateway) -> None:
    """Nobody has to drain the engine, and each span adds up to the same."""
    began = int(time.time())
    await gateway.cache.get(BENCHMARK, "k", Origin(1))
    await gateway.cache.get(BENCHMARK, "k", Origin(1))

    async def is_told() -> bool:
        minutes = [began // 60 * 60, began // 60 * 60 + 60]
        hits = 0
        for span, starts in ((MINUTE, minutes), (HOUR, [began]), (DAY, [began])):
            told = await gateway.cache.counters_of(span, starts)
            hits += sum(one.get("benchmark:memory:hits", 0) for one in told)
        return hits == 3

    await until(is_told)


async def test_evictions_are_told_with_the_counts(redis_url: str) -> None:
    small = replace(QUICK, cache=replace(QUICK.cache, memory_bytes=2_000))
    async with Gateway.open(redis_url, policy=StaticPolicy(small)) as gateway:
        for number in range(5):
            gateway.cache.put(BENCHMARK, number, "x" * 1000)

        async def is_told() -> bool:
            (told,) = await gateway.cache.counters_of(DAY, [int(time.time())])
            return told.get("benchmark:memory:evictions") == 4

        await until(is_told)


async def test_a_kept_answer_tells_what_it_spares(gateway: Gateway) -> None:
    """The time that the first caller waited, less what the second one did."""

    async def slow(wire: Wire, _: Received) -> None:
        await asyncio.sleep(0.3)  # what the origin takes
        await wire.reply(200, chat("Pong."))

    async with upstream(slow) as origin:
        for _ in range(2):
            answer = await gateway.complete(ask("ping", temperature=0), [origin.target()])
    assert answer.cached == "memory"
    await gateway.drain()
    (told,) = await gateway.cache.counters_of(DAY, [int(time.time())])
    assert told["completion:memory:saved_calls"] == 1
    assert told["completion:memory:saved_tokens"] == answer.usage.total_tokens
    assert 200 < told["completion:memory:saved_ms"] < 20_000


async def test_entries_are_listed_in_pieces_and_opened(gateway: Gateway) -> None:
    """Every entry once; credentials never; a value only where one is opened."""
    for number in range(450):
        gateway.cache.put(BENCHMARK, number, {"score": number}, tags=["acme"])
    gateway.cache.put(MODEL_METADATA, "m", "other kind")
    gateway.cache.put(CREDENTIALS, "k", "made up")
    await gateway.drain()
    shelf = gateway.cache.shelf

    names, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        page = await shelf.page("benchmark", cursor, at_least=50)
        assert all(one.entry.payload == b"" and one.entry.tags == ("acme",) for one in page.entries)
        names += [one.name for one in page.entries]
        cursor, pages = page.cursor, pages + 1
    assert len(set(names)) == 450
    assert pages > 1

    opened_one = await shelf.one("benchmark", names[0])
    assert opened_one is not None
    assert b"score" in opened_one.entry.payload
    assert 0 < (opened_one.leaves_in_s or 0) <= QUICK.lifetimes.benchmark_redis_s
    assert await shelf.one("benchmark", "nothing") is None
    stock = await shelf.stock()
    assert stock.is_whole
    assert {kind: one.entries for kind, one in stock.by_kind.items()} == {
        "benchmark": 450,
        "model_metadata": 1,
    }


async def test_entries_are_found_by_what_they_say(gateway: Gateway) -> None:
    gateway.cache.put(BENCHMARK, "a", {"text": "A wrong Answer"})
    gateway.cache.put(BENCHMARK, "b", {"text": "another"}, tags=["offer:acme/wren"])
    await gateway.drain()
    for text, count in (("wrong answer", 1), ("acme/wren", 1), ("nothing like it", 0)):
        page = await gateway.cache.shelf.page("benchmark", text=text)
        assert len(page.entries) == count
        assert all(one.entry.payload == b"" for one in page.entries)


@pytest.mark.parametrize(
    ("what", "gone", "stays"),
    [
        ({"tags": ["acme"]}, 20, 11),
        ({"kinds": ["benchmark"]}, 30, 1),
        ({"kinds": ["benchmark", "model_metadata"]}, 31, 0),
    ],
)
async def test_clearing_counts_what_went(
    opened: Opened, what: dict[str, list[str]], gone: int, stays: int, redis_client: Redis
) -> None:
    """In Redis and on disk; another process no longer gives it either."""
    async with opened() as one, opened() as two:
        for number in range(30):
            one.cache.put(BENCHMARK, number, "old", tags=["acme"] if number < 20 else [])
        one.cache.put(MODEL_METADATA, "m", "old")
        await one.drain()
        assert await two.cache.peek(BENCHMARK, 0) == "old"

        cleared = await one.cache.clear(**what)

        assert (cleared.redis, cleared.disk) == (gone, gone)
        assert len(await redis_client.keys("freellm:cache:[bm]*:*")) == stays
        assert (await one.cache.amounts())["memory"].get("benchmark") is None or stays > 1

        async def is_gone() -> bool:
            return await two.cache.peek(BENCHMARK, 0) is None

        await until(is_gone)


async def test_one_entry_is_cleared_by_its_name(opened: Opened) -> None:
    async with opened() as gateway:
        for key in ("a", "b"):
            gateway.cache.put(BENCHMARK, key, key)
        await gateway.drain()
        (page,) = [await gateway.cache.shelf.page("benchmark", text='"a"')]
        cleared = await gateway.cache.clear(names=[("benchmark", page.entries[0].name)])
        assert (cleared.redis, cleared.disk) == (1, 1)
        assert await gateway.cache.peek(BENCHMARK, "a") is None
        assert await gateway.cache.peek(BENCHMARK, "b") == "b"


async def test_without_redis_it_is_said_that_nothing_could_be_looked_at(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    async with Gateway.open(redis_server.url, policy=StaticPolicy(QUICK)) as gateway:
        gateway.cache.put(BENCHMARK, "k", "v")
        await gateway.drain()
        redis_server.kill()
        cleared = await gateway.cache.clear(kinds=["benchmark"])
        assert cleared.redis is None
        assert await gateway.cache.peek(BENCHMARK, "k") is None
        for asking in (gateway.cache.shelf.stock, lambda: gateway.cache.shelf.page("benchmark")):
            with pytest.raises(StoreAwayError):
                await asking()

"""The cache for any kind of data: tiers, lifetimes, one flight, what is void, what is bounded."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from gateway import keys
from gateway.cache.disk import Disk, Write
from gateway.cache.entries import Entry
from gateway.cache.kinds import (
    BENCHMARK,
    CREDENTIALS,
    KINDS,
    MODEL_METADATA,
    MODEL_STATUS,
    NotThere,
)
from gateway.client import Gateway
from gateway.clock import SystemClock
from gateway.errors import NotCached
from gateway.policy import CachePolicy, LifetimePolicy, Policy, StaticPolicy
from gateway.types import CacheMode
from tests.gateway.conftest import QUICK
from tests.servers import RedisServer

Opened = Callable[..., Any]


class Origin:
    """Counts how often it is asked; answers, or fails, as it is told to."""

    def __init__(self, answer: Any = "new") -> None:
        self.answer = answer
        self.asked = 0

    async def __call__(self) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class LaterClock(SystemClock):
    """Whose wall clock can be moved."""

    def __init__(self) -> None:
        self.moved_s = 0.0

    def unix(self) -> float:
        return super().unix() + self.moved_s


@pytest.fixture
def opened(redis_url: str, tmp_path: Path) -> Opened:
    """Engines of one machine: one folder, one Redis."""

    def open_one(policy: Policy = QUICK, **fields: Any) -> Any:
        named = {"cache_folder": tmp_path / "cache", "policy": StaticPolicy(policy), **fields}
        return Gateway.open(redis_url, **named)

    return open_one


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await is_so():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.05)


async def counted(gateway: Gateway, *names: str) -> list[int]:
    await gateway.drain()
    counters = await gateway.cache_counters(datetime.now(UTC).date().isoformat())
    return [counters.get(one, 0) for one in names]


async def test_each_tier_answers_and_hands_on(
    opened: Opened, redis_url: str, tmp_path: Path
) -> None:
    """Origin, then memory; another process finds it on disk, another machine in Redis."""
    origin = Origin({"context": 8192})
    async with opened() as one:
        for _ in range(2):
            assert await one.cache.get(MODEL_METADATA, "m", origin) == {"context": 8192}
        await one.drain()
        async with opened() as same_machine:
            assert await same_machine.cache.get(MODEL_METADATA, "m", origin) == origin.answer
            assert await same_machine.cache.get(MODEL_METADATA, "m", origin) == origin.answer
            hits = [f"model_metadata:{tier}:hits" for tier in ("memory", "disk", "redis")]
            assert await counted(same_machine, *hits) == [2, 1, 0]
        async with opened(cache_folder=tmp_path / "another") as elsewhere:
            assert await elsewhere.cache.get(MODEL_METADATA, "m", origin) == origin.answer
            assert await counted(elsewhere, *hits) == [2, 1, 1]
    async with opened(cache_folder=tmp_path / "another") as again:  # Redis' went onto its disk
        assert await again.cache.get(MODEL_METADATA, "m", origin) == origin.answer
        assert await counted(again, *hits) == [2, 2, 1]
    assert origin.asked == 1


async def test_different_keys_and_kinds(opened: Opened) -> None:
    """A key is any value; kinds do not see one another's."""
    async with opened() as gateway:
        for key in ("a", ("a",), ("a", 1), {"a": 1}, None):
            await gateway.cache.get(BENCHMARK, key, Origin(repr(key)))
        assert await gateway.cache.get(BENCHMARK, ("a", 1), Origin()) == "('a', 1)"
        assert await gateway.cache.get(MODEL_METADATA, "a", Origin("other")) == "other"


async def test_modes(opened: Opened) -> None:
    """Skip keeps nothing, only loads nothing, refresh does not read."""
    async with opened() as gateway:
        cache = gateway.cache
        assert await cache.get(BENCHMARK, "k", Origin(1), mode=CacheMode.SKIP) == 1
        with pytest.raises(NotCached):
            await cache.get(BENCHMARK, "k", Origin(1), mode=CacheMode.ONLY)
        assert await cache.get(BENCHMARK, "k", Origin(2), mode=CacheMode.REFRESH) == 2
        assert await cache.get(BENCHMARK, "k", Origin(3), mode=CacheMode.REFRESH) == 3
        assert await cache.get(BENCHMARK, "k", Origin(4), mode=CacheMode.ONLY) == 3
        assert await cache.peek(BENCHMARK, "k") == 3
        assert await cache.peek(BENCHMARK, "nothing") is None


async def test_one_loads_for_all(opened: Opened) -> None:
    """Many callers in several engines miss the same key: the origin is asked once."""
    origin, begun, go_on = Origin("slowly"), asyncio.Event(), asyncio.Event()

    async def slowly() -> Any:
        begun.set()
        await go_on.wait()
        return await origin()

    async with opened() as one, opened() as two, opened() as three:
        asking = [
            asyncio.create_task(engine.cache.get(BENCHMARK, "k", slowly))
            for engine in (one, two, three) * 30
        ]
        await begun.wait()
        await asyncio.sleep(0.3)  # the others come meanwhile
        go_on.set()
        assert set(await asyncio.gather(*asking)) == {"slowly"}
        await one.drain()
        (coalesced,) = await counted(three, "benchmark:flight:coalesced")
    assert origin.asked == 1
    assert coalesced > 0


async def test_past_its_time_it_is_given_and_renewed(opened: Opened) -> None:
    """The first to ask waits for nothing; the next one gets the new value."""
    clock = LaterClock()
    async with opened(clock=clock) as gateway:
        await gateway.cache.get(MODEL_METADATA, "m", Origin("old"))
        clock.moved_s = 86_400 + 60
        origin = Origin("new")
        assert await gateway.cache.get(MODEL_METADATA, "m", origin) == "old"
        await gateway.cache.drain()
        assert await gateway.cache.get(MODEL_METADATA, "m", origin) == "new"
        assert origin.asked == 1


async def test_past_its_time_it_may_replace_a_failure(opened: Opened) -> None:
    """Too old to be given at once, still better than an error; and then no longer."""
    clock = LaterClock()
    broken = Origin(RuntimeError("down"))
    async with opened(clock=clock) as gateway:
        await gateway.cache.get(MODEL_STATUS, "m", Origin("up"))
        clock.moved_s = 10 + 20 + 1
        assert await gateway.cache.get(MODEL_STATUS, "m", Origin("newer")) == "newer"
        clock.moved_s += 10 + 20 + 1
        async with opened(clock=clock) as other:
            assert broken.asked == 0
            with pytest.raises(RuntimeError, match="down"):
                await other.cache.get(MODEL_STATUS, "nothing kept", broken)
    lifetimes = replace(QUICK.lifetimes, model_status_memory_s=1000)
    async with opened(replace(QUICK, lifetimes=lifetimes), clock=clock) as patient:
        await patient.cache.get(MODEL_STATUS, "n", Origin("up"))
        clock.moved_s += 10 + 20 + 1
        assert await patient.cache.get(MODEL_STATUS, "n", broken) == "up"
        clock.moved_s += 60
        with pytest.raises(RuntimeError, match="down"):
            await patient.cache.get(MODEL_STATUS, "n", broken)


async def test_what_is_not_there_is_believed_for_a_while(opened: Opened) -> None:
    """No second question, in no process; a failure is never believed."""
    clock = LaterClock()
    gone, broken = Origin(NotThere("no such model")), Origin(RuntimeError("down"))
    async with opened(clock=clock) as gateway, opened(clock=clock) as other:
        for engine in (gateway, gateway, other):
            with pytest.raises(NotThere, match="no such model"):
                await engine.cache.get(MODEL_METADATA, "x", gone)
        assert gone.asked == 1
        clock.moved_s = QUICK.cache.negative_ttl_s + 1
        assert await gateway.cache.get(MODEL_METADATA, "x", Origin("born")) == "born"
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await gateway.cache.get(MODEL_METADATA, "y", broken)
        assert broken.asked == 2


@pytest.mark.parametrize("how", ["key", "kind", "tag"])
async def test_invalidation_reaches_every_process(opened: Opened, how: str) -> None:
    """Within a second nobody gives the old value, from whichever tier; its neighbours stay."""
    async with opened() as one, opened() as two:
        for engine in (one, two):
            await engine.cache.get(MODEL_METADATA, "m", Origin("old"), tags=["acme"])
        await two.cache.get(BENCHMARK, "m", Origin("stays"), tags=["other"])
        await one.drain()
        match how:
            case "key":
                await one.cache.invalidate(MODEL_METADATA, "m")
            case "kind":
                await one.cache.invalidate(MODEL_METADATA)
            case "tag":
                await one.cache.invalidate_tags("acme")
        assert await one.cache.peek(MODEL_METADATA, "m") is None
        await until(lambda: _is_gone(two))
        assert await two.cache.get(MODEL_METADATA, "m", Origin("new")) == "new"
        assert await one.cache.get(MODEL_METADATA, "m", Origin("newer")) == "new"
        assert await two.cache.get(BENCHMARK, "m", Origin("lost")) == "stays"
        kept = await two.cache.amounts()
        async with opened() as three:
            assert await three.cache.get(MODEL_METADATA, "m", Origin("newest")) == "new"
    assert kept["disk"].keys() == {"model_metadata", "benchmark"}


async def test_who_makes_void_still_hears_of_others(opened: Opened) -> None:
    """A later number of one's own must not hide an earlier one of another's."""
    async with opened() as one, opened() as two:
        for engine in (one, two):
            await engine.cache.get(MODEL_METADATA, "m", Origin("old"))
        await one.cache.invalidate(MODEL_METADATA, "m")
        await two.cache.invalidate(BENCHMARK, "something else")
        await until(lambda: _is_gone(two))


async def _is_gone(gateway: Gateway) -> bool:
    return await gateway.cache.peek(MODEL_METADATA, "m") is None


async def test_what_was_begun_before_is_void_after(opened: Opened) -> None:
    """A value on its way from the origin while its kind is made void is not believed."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await go_on.wait()
        return "old"

    async with opened() as gateway:
        loading = asyncio.create_task(gateway.cache.get(BENCHMARK, "k", slow))
        await begun.wait()
        await gateway.cache.invalidate(BENCHMARK)
        go_on.set()
        assert await loading == "old"
        assert await gateway.cache.get(BENCHMARK, "k", Origin("new")) == "new"


async def test_credentials_leave_the_memory_of_nobody(
    opened: Opened, redis_client: Redis, tmp_path: Path
) -> None:
    """Not on disk, not in Redis, not even as a key."""
    async with opened() as gateway:
        for _ in range(2):
            kept = await gateway.cache.get(CREDENTIALS, "key 1", Origin("sk-made-up-secret"))
            assert kept == "sk-made-up-secret"
        await gateway.cache.get(BENCHMARK, "key 1", Origin("public"))
        await gateway.drain()
        in_redis = [await redis_client.dump(name) or b"" for name in await redis_client.keys()]
        on_disk = [path.read_bytes() for path in (tmp_path / "cache").iterdir()]
        assert any(b"public" in one for one in on_disk)
    assert not any(b"sk-made-up" in one for one in (*in_redis, *on_disk))


async def test_warming(opened: Opened) -> None:
    """What will be asked for is there before; one that fails harms none."""
    loads = {"a": Origin(1), "b": Origin(2), "c": Origin(RuntimeError("down"))}
    async with opened() as gateway:
        assert await gateway.cache.warm(BENCHMARK, loads) == 2
        assert await gateway.cache.get(BENCHMARK, "a", Origin("again")) == 1


async def test_memory_evicts_the_least_used(opened: Opened) -> None:
    """Bounded in bytes; what is used stays; evictions are counted."""
    lifetimes = replace(QUICK.lifetimes, benchmark_disk_s=0, benchmark_redis_s=0)
    small = replace(QUICK, cache=CachePolicy(memory_bytes=20_000), lifetimes=lifetimes)
    async with opened(small) as gateway:
        for number in range(40):
            gateway.cache.put(BENCHMARK, number, "x" * 1000)
            assert await gateway.cache.peek(BENCHMARK, 0) == "x" * 1000
        kept = await gateway.cache.amounts()
        (evicted,) = await counted(gateway, "benchmark:memory:evictions")
        assert await gateway.cache.peek(BENCHMARK, 1) is None
    amount = kept["memory"]["benchmark"]
    assert 15_000 < amount.bytes <= 20_000
    assert evicted == 40 - amount.entries


async def test_the_disk_is_bounded_in_bytes(tmp_path: Path) -> None:
    """Five times its size is written: the file stays within it, the newest are there."""
    disk, bound = Disk(tmp_path), 2_000_000
    for number in range(1000):
        entry = Entry(os.urandom(10_000), made_at=0.0)
        disk.keep(Write(("benchmark", str(number)), entry, 100), bound)
        if number % 20 == 0:
            await disk.drain()
    await disk.drain()
    assert (await disk.find([("benchmark", "999")]))[0] is not None
    assert (await disk.find([("benchmark", "0")])) == [None]
    assert sum(disk.take_evicted().values()) > 700
    await disk.close()
    assert (tmp_path / "cache-2.sqlite3").stat().st_size <= bound * 1.2  # and a batch


@pytest.mark.parametrize("damage", ["garbage", "truncated", "folder"])
async def test_a_damaged_file_is_begun_anew(opened: Opened, tmp_path: Path, damage: str) -> None:
    """Whatever happened to it, calls go on; where a file can be had again, it serves again."""
    folder = tmp_path / "cache"
    async with opened() as gateway:
        await gateway.cache.get(BENCHMARK, "k", Origin("kept"))
        await gateway.drain()
    file = folder / "cache-2.sqlite3"
    match damage:
        case "garbage":
            file.write_bytes(b"no database at all " * 1000)
        case "truncated":
            file.write_bytes(file.read_bytes()[:5000])
        case "folder":
            file.unlink()
            file.mkdir()
    async with opened() as gateway:
        for _ in range(2):
            assert await gateway.cache.get(BENCHMARK, "k", Origin("new")) == "kept"  # of Redis
            gateway.cache.put(BENCHMARK, "l", "again")
            await gateway.drain()
    if damage == "garbage":
        with sqlite3.connect(file) as db:
            assert db.execute("SELECT count(*) FROM entries").fetchone()[0] >= 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(kept=st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"\x01" + b))
def test_unpacking_never_raises(kept: bytes) -> None:
    """Nonsense in a store is as good as nothing."""
    entry = Entry.unpack(kept)
    assert entry is None or Entry.unpack(entry.pack()) == entry or entry.made_at != entry.made_at


@given(
    payload=st.binary(max_size=50),
    made_at=st.floats(0, 1e10),
    stamp=st.integers(0, 2**63),
    tags=st.lists(st.text("abc:/% ", min_size=1, max_size=8), max_size=3).map(tuple),
    is_negative=st.booleans(),
)
def test_entries_come_back(
    payload: bytes, made_at: float, stamp: int, tags: tuple[str, ...], is_negative: bool
) -> None:
    """All of the head, and the value."""
    entry = Entry(payload, made_at, stamp, tags, is_negative)
    assert Entry.unpack(entry.pack()) == entry


async def test_nonsense_in_redis_is_a_miss(opened: Opened, redis_client: Redis) -> None:
    """An entry that cannot be read is loaded anew."""
    async with opened(cache_folder=None) as gateway:
        await gateway.cache.get(BENCHMARK, "k", Origin("kept"))
        await gateway.drain()
    (name,) = await redis_client.keys(keys.cached("benchmark", "*"))
    kept: Any = await redis_client.get(name)
    for nonsense in (b"", b"nonsense", kept[:-1], kept[:10]):
        await redis_client.set(name, nonsense)
        async with opened(cache_folder=None) as gateway:
            assert await gateway.cache.get(BENCHMARK, "k", Origin("new")) == "new"


async def test_the_clock_set_back_an_hour(opened: Opened) -> None:
    """What was made in the future has no known age, so it is asked for again."""
    clock = LaterClock()
    async with opened(clock=clock) as gateway:
        await gateway.cache.get(MODEL_STATUS, "m", Origin("old"))
        clock.moved_s = -3600
        assert await gateway.cache.get(MODEL_STATUS, "m", Origin("new")) == "new"


_HOLDER = """
import asyncio, sys
from gateway.cache.kinds import BENCHMARK
from gateway.client import Gateway
from gateway.policy import CachePolicy, Policy, StaticPolicy

async def load():
    print("loading", flush=True)
    await asyncio.sleep(600)

async def main():
    policy = StaticPolicy(Policy(cache=CachePolicy(flight_ttl_s=1)))
    async with Gateway.open(sys.argv[1], policy=policy) as gateway:
        await gateway.cache.get(BENCHMARK, "k", load)

asyncio.run(main())
"""


async def test_a_process_killed_while_it_loads(opened: Opened, redis_url: str) -> None:
    """Its lock is given back by time, and the next one goes."""
    holder = subprocess.Popen(  # noqa: ASYNC220 - it is started, not waited for
        [sys.executable, "-c", _HOLDER, redis_url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == "loading\n"
        origin = Origin("ours")
        async with opened() as gateway:
            asking = asyncio.create_task(gateway.cache.get(BENCHMARK, "k", origin))
            await asyncio.sleep(0.2)
            assert not origin.asked  # it lives, and is waited for
            holder.kill()
            async with asyncio.timeout(20):
                assert await asking == "ours"
    finally:
        holder.kill()
        holder.communicate()


def test_every_kind_has_its_lifetimes() -> None:
    """A kind without them would fail at its first use."""
    for kind in KINDS:
        lifetime = LifetimePolicy().of(kind.name)
        assert lifetime.fresh_s > 0
        assert not (kind.is_secret and (lifetime.disk_s or lifetime.redis_s))


class CacheMachine(RuleBasedStateMachine):
    """Two processes of one machine and one elsewhere, against a dictionary.

    What is told on disk and in Redis is waited for, and what others made void is heard at once;
    so all of them must know exactly what the dictionary knows.
    """

    redis_url = ""
    folder = Path()

    def __init__(self) -> None:
        super().__init__()
        with SyncRedis.from_url(self.redis_url) as redis:
            redis.flushall()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.known: dict[int, int] = {}
        self.tags: dict[int, str] = {}
        folders = (self.folder / "here", self.folder / "here", self.folder / "there")
        self.engines = [self.done(self.opened(folder)) for folder in folders]

    async def opened(self, folder: Path) -> Gateway:
        policy = StaticPolicy(replace(QUICK, cache=CachePolicy(memory_bytes=2_000)))
        return await self.stack.enter_async_context(
            Gateway.open(self.redis_url, policy=policy, cache_folder=folder)
        )

    def done(self, doing: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(doing)

    def teardown(self) -> None:
        self.done(self.stack.aclose())
        self.loop.close()

    def settle(self) -> None:
        for engine in self.engines:
            self.done(engine.drain())
            engine._tiers._voids._looked_at = float("-inf")  # as if half a second had passed

    @rule(
        which=st.integers(0, 2),
        key=st.integers(0, 5),
        value=st.integers(),
        tag=st.sampled_from("ab"),
    )
    def refresh(self, which: int, key: int, value: int, tag: str) -> None:
        """Who sets a value makes the others' void first, as whoever shares values must."""
        cache = self.engines[which].cache
        self.done(cache.invalidate(BENCHMARK, key))
        got = self.done(
            cache.get(BENCHMARK, key, Origin(value), tags=[tag], mode=CacheMode.REFRESH)
        )
        assert got == value
        self.known[key], self.tags[key] = value, tag
        self.settle()

    @rule(which=st.integers(0, 2), key=st.integers(0, 5), value=st.integers())
    def get(self, which: int, key: int, value: int) -> None:
        origin = Origin(value)
        got = self.done(self.engines[which].cache.get(BENCHMARK, key, origin))
        assert got == self.known.get(key, value)
        assert origin.asked == (key not in self.known)
        self.tags.setdefault(key, "")
        self.known.setdefault(key, value)
        self.settle()

    @rule(which=st.integers(0, 2), key=st.integers(0, 5))
    def forget(self, which: int, key: int) -> None:
        self.done(self.engines[which].cache.invalidate(BENCHMARK, key))
        self.forgotten([key])

    @rule(which=st.integers(0, 2), tag=st.sampled_from("ab"))
    def forget_tag(self, which: int, tag: str) -> None:
        self.done(self.engines[which].cache.invalidate_tags(tag))
        self.forgotten([key for key, one in self.tags.items() if one == tag])

    @rule(which=st.integers(0, 2))
    def forget_all(self, which: int) -> None:
        self.done(self.engines[which].cache.invalidate(BENCHMARK))
        self.forgotten(list(self.known))

    def forgotten(self, keys_gone: list[int]) -> None:
        for key in keys_gone:
            self.known.pop(key, None)
            self.tags.pop(key, None)
        self.settle()

    @rule(which=st.integers(0, 2), key=st.integers(0, 5))
    def peek(self, which: int, key: int) -> None:
        assert self.done(self.engines[which].cache.peek(BENCHMARK, key)) == self.known.get(key)


def test_the_cache_equals_a_dictionary(redis_url: str, tmp_path: Path) -> None:
    """Whatever is kept, evicted from memory, promoted and made void, and by whom."""
    CacheMachine.redis_url, CacheMachine.folder = redis_url, tmp_path
    case = CacheMachine.TestCase
    case.settings = settings(
        max_examples=15,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    case().runTest()


async def test_redis_is_lost_while_one_loads(tmp_path: Path) -> None:
    """The lock and the shared tier are gone: whoever waits is served all the same."""
    server = RedisServer(tmp_path / "r.sock")
    server.start()
    try:
        origin, begun, go_on = Origin("here"), asyncio.Event(), asyncio.Event()

        async def slowly() -> Any:
            begun.set()
            await go_on.wait()
            return await origin()

        policy = StaticPolicy(QUICK)
        async with (
            Gateway.open(server.url, policy=policy) as one,
            Gateway.open(server.url, policy=policy) as two,
        ):
            first = asyncio.create_task(one.cache.get(BENCHMARK, "k", slowly))
            await begun.wait()
            second = asyncio.create_task(two.cache.get(BENCHMARK, "k", slowly))
            server.kill()
            await asyncio.sleep(0.05)
            go_on.set()
            async with asyncio.timeout(20):
                assert set(await asyncio.gather(first, second)) == {"here"}
            await one.cache.invalidate(BENCHMARK, "k")  # told when Redis is back
            assert await one.cache.peek(BENCHMARK, "k") is None
            server.start()
            await until(lambda: _are_well(one, two))
            await until(lambda: _is_forgotten(two))
    finally:
        server.kill()


async def _are_well(*gateways: Gateway) -> bool:
    return not any(one.is_degraded for one in gateways)


async def _is_forgotten(gateway: Gateway) -> bool:
    return await gateway.cache.peek(BENCHMARK, "k") is None

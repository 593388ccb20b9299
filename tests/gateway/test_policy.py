"""Every tunable is typed, documented and bounded, at three levels, and changes while calls run."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import redis

from gateway import keys
from gateway.policy import (
    TUNABLES,
    BreakerPolicy,
    LimiterPolicy,
    Overrides,
    Policy,
    Scope,
    StaticPolicy,
)
from gateway.policy.holding import holders
from gateway.policy.live import LivePolicy
from gateway.policy.published import Published, decoded, encoded
from gateway.policy.published import publish as publish_truth
from gateway.policy.rules import problems_of
from gateway.store import Store

DEFAULT = Policy()
WAIT = "limiter.max_wait_s"


def test_every_tunable_explains_itself() -> None:
    """Unit, bounds around the default, one line of help."""
    assert len(TUNABLES) > 25
    for name, one in TUNABLES.items():
        assert name == f"{one.group}.{one.name}"
        assert one.minimum <= one.default <= one.maximum
        assert one.unit
        assert one.help.endswith(".")
        assert one.label
    assert len({one.label for one in TUNABLES.values()}) == len(TUNABLES)


@pytest.mark.parametrize("value", [-1, 10**9, float("nan"), float("inf"), "5", None])
def test_nothing_is_out_of_bounds(value: object) -> None:
    """The error names the field and its bounds."""
    with pytest.raises(ValueError, match="max_wait_s must lie between 0 and 300 s"):
        LimiterPolicy(max_wait_s=value)  # type: ignore[arg-type]  # that is the point


def test_a_count_is_whole() -> None:
    """Half a probe is refused rather than rounded."""
    with pytest.raises(ValueError, match="probes must be a whole number of calls"):
        BreakerPolicy(probes=1.5)  # type: ignore[arg-type]  # that is the point


def test_a_policy_is_replaced_as_a_whole() -> None:
    """Frozen values: what a call has read does not change under it."""
    source = StaticPolicy()
    changed = replace(source.current(), breaker=BreakerPolicy(probes=3))
    assert source.current() == DEFAULT
    assert changed.breaker.probes == 3


def test_the_nearer_level_wins_field_by_field() -> None:
    """Offer over provider over default; what a level does not name comes from the wider one."""
    source = StaticPolicy(
        overrides={
            Scope(): {WAIT: 1, "retry.max_targets": 3},
            Scope("groq"): {WAIT: 2, "retry.max_attempts": 5},
            Scope("groq", "llama"): {WAIT: 3},
        }
    )
    assert source.current().limiter.max_wait_s == 1
    assert source.at("gemini").limiter.max_wait_s == 1
    assert source.at("groq", "other").limiter.max_wait_s == 2
    nearest = source.at("groq", "llama")
    assert nearest.limiter.max_wait_s == 3
    assert (nearest.retry.max_attempts, nearest.retry.max_targets) == (5, 3)
    assert nearest.breaker == DEFAULT.breaker


def test_an_offer_may_stand_alone() -> None:
    """Its provider need not have overrides of its own."""
    source = StaticPolicy(overrides={Scope("groq", "llama"): {WAIT: 3}})
    assert source.at("groq", "llama").limiter.max_wait_s == 3
    assert source.at("groq").limiter.max_wait_s == DEFAULT.limiter.max_wait_s


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({Scope("groq"): {WAIT: -1}}, "groq: max_wait_s must lie between"),
        ({Scope(): {"limiter.luck": 1}}, "default: limiter.luck is no field"),
        ({Scope("a", "b"): {"breaker.probes": 1.5}}, "a/b: probes must be a whole number"),
    ],
)
def test_a_wrong_override_names_its_place(overrides: Overrides, words: str) -> None:
    """So that a form can say it beside the field."""
    with pytest.raises(ValueError, match=words):
        StaticPolicy(overrides=overrides)


def test_what_is_published_is_what_arrives() -> None:
    """Whatever names providers and models bear."""
    overrides: Overrides = {Scope(): {WAIT: 1.5}, Scope("a/b", 'x":y'): {"breaker.probes": 2}}
    published = Published(7, overrides, at_us=3)
    assert decoded(encoded(published).encode()) == published


@pytest.mark.parametrize("text", ["", "{}x", "3", "[3]", '[{"provider": "a"}]', "null"])
def test_nonsense_is_a_value_error(text: str) -> None:
    """Nothing else escapes from reading what was published."""
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own or ours
        decoded(text.encode())


async def publish(store: Store, overrides: Overrides, version: int = 1) -> Published:
    async def truth() -> Published:
        return Published(version, overrides)

    return await publish_truth(store, truth)


@asynccontextmanager
async def two_processes(url: str) -> AsyncIterator[tuple[Store, LivePolicy, LivePolicy]]:
    async with Store(url) as store, Store(url) as other:
        one, two = LivePolicy(store, process="web a:1"), LivePolicy(other, process="worker a:2")
        async with one.watched(), two.watched():
            yield store, one, two


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.02)


async def test_a_change_holds_in_every_process(redis_url: str) -> None:
    """Also taking it back, and in a process that starts after it."""
    async with two_processes(redis_url) as (store, one, two):
        await publish(store, {Scope("groq"): {WAIT: 7}})
        await soon(lambda: all(p.at("groq").limiter.max_wait_s == 7 for p in (one, two)))
        assert two.current() == DEFAULT
        async with LivePolicy(store).watched() as late:
            assert late.at("groq").limiter.max_wait_s == 7
        await publish(store, {})
        await soon(lambda: two.at("groq") == DEFAULT)


async def test_a_wrong_change_is_not_published(redis_url: str) -> None:
    """All of it or nothing."""
    async with two_processes(redis_url) as (store, one, _):
        with pytest.raises(ValueError, match="default: “Longest wait here” must lie between"):
            await publish(store, {Scope("groq"): {"retry.max_attempts": 2}, Scope(): {WAIT: -1}})
        await one.reload()
        assert one.at("groq") == DEFAULT


@pytest.mark.parametrize("harm", [None, b"nonsense", json.dumps([{"provider": 1}]).encode()])
async def test_the_last_limits_stay(redis_url: str, harm: bytes | None) -> None:
    """Where Redis lost them, or holds what nobody understands."""
    async with two_processes(redis_url) as (store, one, _):
        await publish(store, {Scope(): {WAIT: 7}})
        await one.reload()
        with redis.Redis.from_url(redis_url) as server:
            if harm is None:
                server.delete(keys.POLICY)
            else:
                server.set(keys.POLICY, harm)
        await one.reload()
        assert one.current().limiter.max_wait_s == 7


async def test_each_process_tells_what_it_holds(redis_url: str) -> None:
    """The version, and how long after its publication it held there; whoever ends is forgotten."""
    async with two_processes(redis_url) as (store, *_):
        await publish(store, {Scope(): {WAIT: 7}}, version=3)
        async with asyncio.timeout(10):
            while not all(one.version == 3 for one in await holders(store)):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        found = await holders(store)
        assert [one.process for one in found] == ["web a:1", "worker a:2"]
        assert [one.kind for one in found] == ["web", "worker"]
        assert all(one.took_s is not None and 0 <= one.took_s < 10 for one in found)
    async with Store(redis_url) as store:
        assert await holders(store) == []


async def test_what_cannot_be_applied_is_told_and_not_half_applied(redis_url: str) -> None:
    """As of a process older than a field: the version it holds stays, with the reason."""
    async with two_processes(redis_url) as (store, one, _):
        await publish(store, {Scope(): {WAIT: 7}}, version=3)
        await one.reload()
        newer = Published(4, {Scope(): {WAIT: 8, "limiter.of_tomorrow": 1}})
        with redis.Redis.from_url(redis_url) as server:
            server.set(keys.POLICY, encoded(newer))
        await one.reload()
        await store.drain()
        (told, _) = await holders(store)
        assert (one.current().limiter.max_wait_s, told.version) == (7, 3)
        assert "limiter.of_tomorrow is no field" in told.refused
        await publish(store, {Scope(): {WAIT: 9}}, version=5)
        await one.reload()
        await store.drain()
        (told, _) = await holders(store)
        assert (told.version, told.refused) == (5, "")


async def test_of_two_who_publish_at_once_none_is_lost(redis_url: str) -> None:
    """Each reads the truth after what is published, so the newest truth is what stays."""
    versions = iter(range(1, 100))
    newest = Published()

    async def change_and_read() -> Published:
        nonlocal newest
        if newest.version < 20:
            version = next(versions)
            newest = Published(version, {Scope(): {WAIT: version}})
        await asyncio.sleep(0)
        return newest

    async with Store(redis_url) as one, Store(redis_url) as two:
        await asyncio.gather(
            *(publish_truth(store, change_and_read) for store in (one, two) for _ in range(10))
        )
        (there,) = await one.ask(("GET", keys.POLICY))
    assert decoded(there) == newest


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({Scope("groq"): {"limiter.max_wait_s": 30}}, "groq: .*must not be above.*Lower the first"),
        ({Scope(): {"limiter.most_share": 0.01}}, "Floor of a lowered limit.*5.*%"),
        ({Scope(): {"ranking.hard_fit": 0, "ranking.hard_speed": 0, "ranking.hard_left": 0,
                    "ranking.hard_health": 0}}, "give one of them some points"),
        ({Scope("groq"): {"cache.memory_bytes": 5}}, "can be set for everything only"),
        ({Scope("groq", "x"): {"dispatch.ageing_s": 5}}, "can be set for a whole provider only"),
    ],
)  # fmt: skip
def test_values_that_contradict_are_told_apart(overrides: Overrides, words: str) -> None:
    """Which they are, and what to do; at the level at which it was said."""
    (problem,) = problems_of(overrides)
    assert re.search(words, str(problem))


def test_a_default_that_contradicts_a_provider_s_value_is_found() -> None:
    """The provider's value was fine until the level above it changed."""
    overrides: Overrides = {Scope(): {"retry.cap_s": 0.5}, Scope("groq"): {"retry.base_s": 1}}
    (problem,) = problems_of(overrides)
    assert problem.scope == Scope("groq")


def test_the_defaults_contradict_nothing() -> None:
    """Nor does every value at its default, at each level where it may be set."""
    assert problems_of({}) == []
    for scope in (Scope(), Scope("groq"), Scope("groq", "llama")):
        values = {n: one.default for n, one in TUNABLES.items() if scope.reach <= one.reach}
        assert problems_of({scope: values}) == []


@pytest.mark.parametrize("name", sorted(TUNABLES))
def test_what_is_shown_can_be_typed(name: str) -> None:
    """Whatever the unit: percent, megabytes, yes and no."""
    one = TUNABLES[name]
    for value in (one.minimum, one.default, one.maximum):
        assert one.read(one.shown(value)) == value


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (WAIT, "soon", "“soon” is not a number of s"),
        (WAIT, "301", "must lie between 0 and 300\u00a0s"),
        (WAIT, "nan", "is not a number"),
        (WAIT, "1e400", "is not a number"),
        ("breaker.probes", "1.5", "must be a whole number of calls"),
        ("breaker.offer_failure_rate", "120", "between 1 and 100\u00a0%"),
        ("retry.hedging", "maybe", "is not yes or no"),
    ],
)
def test_what_cannot_be_a_value_is_told_in_words(name: str, text: str, words: str) -> None:
    """With the bounds as a person reads them."""
    with pytest.raises(ValueError, match=re.escape(words)):
        TUNABLES[name].read(text)


def test_numbers_are_typed_as_people_type_them() -> None:
    """With spaces between thousands, or a comma."""
    assert TUNABLES["limits.tpm"].read("8 000") == 8000
    assert TUNABLES["limiter.decrease"].read("62,5") == 0.625

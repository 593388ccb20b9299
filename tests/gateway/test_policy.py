"""Every tunable is typed, documented and bounded, at three levels, and changes while calls run."""

from __future__ import annotations

import asyncio
import json
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
from gateway.policy.live import LivePolicy, decoded, encoded, publish
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
    assert decoded(encoded(overrides).encode()) == overrides


@pytest.mark.parametrize("text", ["", "{}x", "3", "[3]", '[{"provider": "a"}]', "null"])
def test_nonsense_is_a_value_error(text: str) -> None:
    """Nothing else escapes from reading what was published."""
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own or ours
        decoded(text.encode())


@asynccontextmanager
async def two_processes(url: str) -> AsyncIterator[tuple[Store, LivePolicy, LivePolicy]]:
    async with Store(url) as store, Store(url) as other:
        one, two = LivePolicy(store), LivePolicy(other)
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
        with pytest.raises(ValueError, match="max_wait_s"):
            await publish(store, {Scope("groq"): {"retry.max_targets": 2}, Scope(): {WAIT: -1}})
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

"""The past by another policy: the same scripts decide, nothing real is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gateway.limiter.replay import PastCall, PastTry, replay
from gateway.policy import Overrides, Scope, StaticPolicy
from gateway.store import Store, StoreAwayError
from gateway.types import Target, parse_limits
from tests.gateway.upstream import make_target

_US = 1_000_000
_NOON_US = 1_790_000_000 * _US
_FIRST = make_target(model="a", limits=parse_limits({"rpm": 10}))
_SECOND = make_target(model="b", provider="other", limits=parse_limits({"rpm": 3}))


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    async with Store(redis_url) as opened:
        yield opened


def calls(
    seconds: list[float], *targets: Target, tokens: int = 20, took_s: float = 1.0
) -> list[PastCall]:
    tries = tuple(PastTry(target, took_s) for target in targets or (_FIRST,))
    return [PastCall(_NOON_US + int(one * _US), 10, tokens, tries) for one in seconds]


def policy(values: Mapping[str, float], scope: Scope = Scope()) -> StaticPolicy:  # noqa: B008 - frozen
    overrides: Overrides = {scope: values}
    return StaticPolicy(overrides=overrides)


async def test_what_fits_goes_through_at_once(store: Store) -> None:
    """As many as the limit has, whenever they come."""
    found = await replay(store, policy({}), calls([0.1 * n for n in range(10)]), "t")
    assert [(one.place, one.waited_s) for one in found] == [(0, 0.0)] * 10


async def test_a_lower_limit_makes_calls_wait_or_refuses_them(store: Store) -> None:
    """Who may wait long enough waits until there is room; else it is refused."""
    past = calls([float(n) for n in range(8)])
    patient = {"limits.rpm": 4, "limiter.max_wait_last_s": 300}
    waited = await replay(store, policy(patient), past, "t")
    assert [one.place for one in waited] == [0] * 8
    assert [one.waited_s > 50 for one in waited] == [False] * 4 + [True] * 4
    refused = await replay(store, policy({"limits.rpm": 4}), past, "t")
    assert [one.place for one in refused] == [0] * 4 + [None] * 4
    assert all(one.waited_s == 0 for one in refused)


async def test_who_finds_no_room_moves_on(store: Store) -> None:
    """To the next target of the same call, in its order."""
    past = calls([0.0] * 8, _FIRST, _SECOND)
    found = await replay(store, policy({"limits.rpm": 4}, Scope("acme")), past, "t")
    assert [one.place for one in found] == [0] * 4 + [1] * 3 + [None]


async def test_real_usage_takes_the_place_of_the_estimate(store: Store) -> None:
    """What was reserved for an answer and not used is there for the next call."""
    target = make_target(limits=parse_limits({"tpm": 1000}))
    short = calls([0.0, 2.0, 4.0], target, tokens=20)
    long = calls([0.0, 2.0, 4.0], target, tokens=900)
    assert [one.place for one in await replay(store, policy({}), short, "s")] == [0, 0, 0]
    assert [one.place for one in await replay(store, policy({}), long, "l")] == [0, None, None]


async def test_nothing_is_left_behind_and_nothing_real_is_touched(
    store: Store, redis_url: str
) -> None:
    """Real quotas are neither read nor changed."""
    with Redis.from_url(redis_url) as redis:
        redis.hset("freellm:quota:{acme}:1:a:rpm", "1", "7")
        before = set(redis.keys("freellm:quota:*"))
        heard: list[int] = []
        await replay(store, policy({}), calls([n / 50 for n in range(450)]), "t", heard.append)
        assert set(redis.keys("freellm:quota:*")) == before
        assert redis.hgetall("freellm:quota:{acme}:1:a:rpm") == {b"1": b"7"}
    assert heard == [200, 400]


async def test_without_redis_there_is_no_replay() -> None:
    """The process' own small count would tell something else."""
    async with Store(None) as store:
        with pytest.raises(StoreAwayError):
            await replay(store, policy({}), calls([0.0]), "t")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.lists(st.floats(0, 180), max_size=60), amount=st.integers(1, 9))
async def test_no_minute_lets_through_more_than_the_limit(
    redis_url: str, seconds: list[float], amount: int
) -> None:
    """Whenever they came: counted at the moment at which each went out."""
    past = calls(sorted(seconds))
    values = {"limits.rpm": amount, "limiter.max_wait_last_s": 600}
    async with Store(redis_url) as store:
        found = await replay(store, policy(values), past, "t")
    out = sorted(
        call.at_us / _US + one.waited_s
        for call, one in zip(past, found, strict=True)
        if one.place is not None
    )
    for begin in out:
        assert sum(begin <= one < begin + 60 for one in out) <= amount

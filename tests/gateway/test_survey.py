"""What people who watch a quota are told of it; reading it changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.limiter.limiter import Limiter
from gateway.limiter.quota import LimitSource, Reading
from gateway.limiter.survey import PoolName, PoolView, WindowView
from gateway.policy import LimiterPolicy
from gateway.store import Store, StoreAwayError
from gateway.types import Limit, Target, Unit, Window, parse_limits
from tests.gateway.test_learning import Bench, policy_of
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import make_target

_POLICY = LimiterPolicy(warmup_share=0.5, warmup_s=20.0, warmup_least=5)


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with Store(redis_url) as store:
        yield Bench(Limiter(store, policy_of(_POLICY), clock), clock)


async def view(bench: Bench, target: Target) -> PoolView:
    survey = await bench.limiter.survey([target])
    assert survey.at_s == pytest.approx(bench.clock.now_us / 1e6)
    return survey.pools[PoolName(target.provider, target.key_id, target.pool)]


async def test_an_unused_quota_is_full(bench: Bench) -> None:
    """Nothing is known but what is published."""
    found = await view(bench, make_target(limits=parse_limits({"rpm": 30, "tpd": 1000})))
    assert not found.is_used
    assert [(one.left, one.held, one.source) for one in found.windows] == [
        (30, 30, LimitSource.PUBLISHED),
        (1000, 1000, LimitSource.PUBLISHED),
    ]
    assert found.warm_until == 0


async def test_tells_what_is_used_and_when_it_is_free_again(bench: Bench) -> None:
    """Two calls of a minute's thirty: the rate warms up from the first one on."""
    target = make_target(limits=parse_limits({"rpm": 30}))
    began_s = bench.clock.now_us / 1e6
    await bench.take(target, 2)
    found = await view(bench, target)
    assert (found.windows[0].used, found.windows[0].left) == (2, 28)
    assert found.windows[0].free_at == pytest.approx(began_s + 61.2, abs=1.3)
    assert found.warm_since == pytest.approx(began_s)
    assert found.warm_until == pytest.approx(began_s + 20)


async def test_tells_what_a_header_named_and_what_rests(bench: Bench) -> None:
    """The amount in force, who named it and when."""
    target = make_target(limits=parse_limits({"rpm": 30}))
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=24))
    said_s = bench.clock.now_us / 1e6
    bench.wait(7)
    window = (await view(bench, target)).windows[0]
    assert (window.held, window.said, window.source) == (24, 24, LimitSource.HEADERS)
    assert window.said_at == window.learned_at == pytest.approx(said_s)


async def test_what_did_not_change_is_equal(bench: Bench) -> None:
    """So that five minutes of surveys keep an idle pool once."""
    target = make_target(limits=parse_limits({"rpm": 30, "rpd": 900}))
    await bench.take(target, 1)
    bench.wait(61.3)
    first = await view(bench, target)
    bench.wait(5)
    assert await view(bench, target) == first


async def test_looking_changes_nothing(bench: Bench, redis_client: Redis) -> None:
    """No key appears, none lives longer for it."""
    target = make_target(limits=parse_limits({"rpm": 30}))
    await view(bench, target)
    assert await redis_client.keys("freellm:quota:*") == []


async def test_without_redis_nothing_is_told(bench: Bench) -> None:
    """The page shows its last survey instead."""
    async with Store(None) as store:
        limiter = Limiter(store, policy_of(_POLICY), bench.clock)
        with pytest.raises(StoreAwayError):
            await limiter.survey([make_target(limits=parse_limits({"rpm": 30}))])


_DAY_S = 86_400


def window_view(*, used: int, lately: int, over_s: float, resets_in: str = "") -> WindowView:
    """Of a thousand a day, read at 0; the provider's day, where it has one, ends in an hour."""
    return WindowView(
        limit=Limit(Unit.REQUESTS, Window.DAY, 1000, resets_in),
        held=1000,
        source=LimitSource.PUBLISHED,
        learned_at=0,
        said=None,
        said_at=0,
        used=used,
        fits_in_s=0,
        free_at=3_600,
        lately=lately,
        lately_since=-over_s,
    )


def test_a_day_runs_out_at_the_rate_of_lately() -> None:
    """100 left at 100 in half an hour: out before the day ends in an hour."""
    out = window_view(used=900, lately=100, over_s=1800, resets_in="UTC").runs_out_in_s(0)
    assert out == pytest.approx(1800)


def test_a_day_that_ends_before_lasts() -> None:
    """At that rate it would take two hours; it is full again in one."""
    assert window_view(used=900, lately=50, over_s=3600, resets_in="UTC").runs_out_in_s(0) is None


@given(used=st.integers(min_value=1, max_value=1000))
def test_a_rolling_window_used_evenly_lasts(used: int) -> None:
    """As much comes back as is used, however little is left."""
    lately = used // 24
    assert window_view(used=used, lately=lately, over_s=3600).runs_out_in_s(0) is None


def test_a_rolling_window_used_faster_than_it_comes_back_runs_out() -> None:
    """500 left; 100 an hour go and 500 a day come back."""
    out = window_view(used=500, lately=100, over_s=3600).runs_out_in_s(0)
    assert out == pytest.approx(500 / (100 / 3600 - 500 / _DAY_S))

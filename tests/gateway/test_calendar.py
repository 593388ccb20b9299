"""Days and months that end at the provider's midnight, in Python and in Lua alike."""

from __future__ import annotations

import asyncio
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.errors import RateLimited
from gateway.limiter.calendar import edges_us
from gateway.limiter.limiter import Limiter
from gateway.limiter.window import MARGIN_US, Calendar, decide
from gateway.policy import StaticPolicy
from gateway.store import Store
from gateway.types import Limit, Unit, Window, parse_limits
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import make_target

_PACIFIC = ZoneInfo("America/Los_Angeles")


def _at(zone: ZoneInfo, *when: int) -> int:
    year, month, day, *time = when
    at = dt.datetime.combine(dt.date(year, month, day), _time(*time), zone)
    return int(at.timestamp()) * 1_000_000


def _time(hour: int = 0, minute: int = 0, second: int = 0) -> dt.time:
    return dt.time(hour, minute, second)


def _limit(amount: int, window: Window = Window.DAY, zone: str = "America/Los_Angeles") -> Limit:
    return Limit(Unit.REQUESTS, window, amount, zone)


@pytest.mark.parametrize(
    ("day", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 11, 22), 24)]
)
def test_a_pacific_day_is_as_long_as_it_is(day: tuple[int, int, int], hours: int) -> None:
    """The clocks go forward in March and back in November."""
    edges = edges_us(_limit(1), _at(_PACIFIC, *day, 12))
    assert edges[1] == _at(_PACIFIC, *day)
    assert edges[2] - edges[1] == hours * 3_600_000_000


def test_months_begin_on_their_first() -> None:
    """February has 28 days; the new year follows December."""
    utc = ZoneInfo("UTC")
    edges = edges_us(_limit(1, Window.MONTH, "UTC"), _at(utc, 2027, 1, 15))
    firsts = [(2026, 12, 1), (2027, 1, 1), (2027, 2, 1), (2027, 3, 1), (2027, 4, 1)]
    assert edges == tuple(_at(utc, *one) for one in firsts)


def test_what_has_no_midnight_rolls() -> None:
    """A minute, a day of which nothing is known, a zone that does not exist."""
    for limit in (_limit(1, Window.MINUTE), _limit(1, zone=""), _limit(1, zone="Mars/Olympus")):
        assert edges_us(limit, 1_790_000_000_000_000) == ()


_steps = st.lists(
    st.tuples(st.integers(0, 6 * 3_600_000_000) | st.integers(0, 8_000_000), st.integers(1, 5)),
    min_size=1,
    max_size=60,
)


@given(
    steps=_steps,
    amount=st.integers(1, 9),
    skew_us=st.integers(-MARGIN_US, MARGIN_US),
    until_midnight_us=st.integers(0, 20_000_000),
)
def test_no_day_holds_more_by_the_providers_clock(
    steps: list[tuple[int, int]], amount: int, skew_us: int, until_midnight_us: int
) -> None:
    """Though it differs from ours by seconds, and however close to midnight calls are made."""
    limit = _limit(amount)
    now_us = _at(_PACIFIC, 2026, 11, 1) - until_midnight_us  # before the day of 25 hours
    counts: dict[int, int] = {}
    by_their_day: dict[dt.date, int] = {}
    for pause_us, cost in steps:
        now_us += pause_us
        window = Calendar(amount, edges_us(limit, now_us))
        if decide(counts, window, now_us, cost).admitted:
            counts[window.slot(now_us)] = counts.get(window.slot(now_us), 0) + cost
            day = dt.datetime.fromtimestamp((now_us + skew_us) / 1e6, _PACIFIC).date()
            by_their_day[day] = by_their_day.get(day, 0) + cost
    assert all(used <= amount for used in by_their_day.values())


@given(steps=_steps, amount=st.integers(1, 9), cost=st.integers(1, 9))
def test_the_wait_until_midnight_is_exact(
    steps: list[tuple[int, int]], amount: int, cost: int
) -> None:
    """Waiting as told admits, a microsecond less does not."""
    limit, counts = _limit(amount), dict[int, int]()
    now_us = _at(_PACIFIC, 2026, 3, 7, 23, 59, 50)
    for pause_us, spent in steps:
        now_us += pause_us
        window = Calendar(amount, edges_us(limit, now_us))
        if decide(counts, window, now_us, spent).admitted:
            counts[window.slot(now_us)] = counts.get(window.slot(now_us), 0) + spent
    window = Calendar(amount, edges_us(limit, now_us))
    wait_us = decide(counts, window, now_us, cost).retry_after_us
    if wait_us is None:
        assert cost > amount
        return
    assert decide(counts, window, now_us + wait_us, cost).admitted
    if wait_us:
        assert not decide(counts, window, now_us + wait_us - 1, cost).admitted


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=_steps, amount=st.integers(1, 9))
def test_lua_counts_days_as_python_does(
    redis_url: str, steps: list[tuple[int, int]], amount: int
) -> None:
    """Admissions, waits and what is left."""
    asyncio.run(_compare(redis_url, steps, amount))


async def _compare(redis_url: str, steps: list[tuple[int, int]], amount: int) -> None:
    limit = Limit(Unit.TOKENS, Window.DAY, amount, "America/Los_Angeles")
    target, counts = make_target(limits=(limit,)), dict[int, int]()
    clock = ManualClock(_at(_PACIFIC, 2026, 10, 31, 23, 59, 50))
    async with Redis.from_url(redis_url) as redis, Store(redis_url) as store:
        await redis.flushall()
        limiter = Limiter(store, StaticPolicy(), clock)
        for pause_us, cost in steps:
            clock.now_us += pause_us
            window = Calendar(amount, edges_us(limit, clock.now_us))
            expected = decide(counts, window, clock.now_us, cost)
            try:
                await limiter.reserve(target, cost - 1 if cost <= amount else cost, 1)
            except RateLimited as error:
                assert not expected.admitted
                told = error.retry_after_s
                assert (None if told is None else round(told * 1e6)) == expected.retry_after_us
            else:
                assert expected.admitted
                slot = window.slot(clock.now_us)
                counts[slot] = counts.get(slot, 0) + cost


async def test_a_new_day_is_free_right_after_midnight(redis_url: str) -> None:
    """Used up at noon, all of it is there at midnight; what comes back is its own day's."""
    clock = ManualClock(_at(_PACIFIC, 2026, 11, 22, 12))
    limits = parse_limits({"rpd": 3}, {"day": "America/Los_Angeles"})
    target = make_target(limits=limits)
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(), clock)
        taken = [await limiter.reserve(target, 1, 1) for _ in range(3)]
        (level,) = (await limiter.levels([target]))[target].limits
        assert (level.left, level.resets_in_s) == (0, 12 * 3600 + 5)
        clock.now_us = _at(_PACIFIC, 2026, 11, 23) + MARGIN_US
        await limiter.reserve(target, 1, 1)
        await limiter.cancel(taken[0])
        (level,) = (await limiter.levels([target]))[target].limits
        assert level.left == 2

"""The sliding window: its promise, in Python and in Lua alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.errors import RateLimited
from gateway.limiter.limiter import Limiter
from gateway.limiter.quota import Reading, Reservation, Settlement
from gateway.limiter.window import Window, decide, observed_charge, used
from gateway.policy import StaticPolicy
from gateway.store import Store
from gateway.types import Limit, Target, Unit
from gateway.types import Window as Span
from tests.gateway.upstream import make_target

_START_US = 1_790_000_000_000_000

_steps = st.lists(
    st.tuples(st.integers(0, 30_000_000), st.integers(1, 12)), min_size=1, max_size=60
)


@dataclass
class ManualClock:
    """Time moves when the test says so."""

    now_us: int = _START_US
    slept_s: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_us / 1e6

    def unix(self) -> float:
        return self.now_us / 1e6

    def store_us(self) -> int:
        return self.now_us

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_us += int(seconds * 1e6) + 1


@given(steps=_steps, amount=st.integers(1, 20))
def test_no_window_holds_more_than_the_amount(steps: list[tuple[int, int]], amount: int) -> None:
    """Wherever a window of the length begins, what was admitted in it is at most the amount."""
    window = Window.of(Limit(Unit.TOKENS, Span.MINUTE, amount))
    counts: dict[int, int] = {}
    admitted: list[tuple[int, int]] = []
    now_us = _START_US
    for pause_us, cost in steps:
        now_us += pause_us
        if decide(counts, window, now_us, cost).admitted:
            slot = window.slot(now_us)
            counts[slot] = counts.get(slot, 0) + cost
            admitted.append((now_us, cost))
    for begin_us, _ in admitted:
        end_us = begin_us + window.length_us
        assert sum(cost for at, cost in admitted if begin_us <= at < end_us) <= amount


@given(steps=_steps, amount=st.integers(1, 20), cost=st.integers(1, 20))
def test_the_wait_is_exact(steps: list[tuple[int, int]], amount: int, cost: int) -> None:
    """Waiting as told admits, a microsecond less does not; None is only for what never fits."""
    window = Window.of(Limit(Unit.TOKENS, Span.MINUTE, amount))
    counts: dict[int, int] = {}
    now_us = _START_US
    for pause_us, spent in steps:
        now_us += pause_us
        if decide(counts, window, now_us, spent).admitted:
            counts[window.slot(now_us)] = counts.get(window.slot(now_us), 0) + spent
    wait_us = decide(counts, window, now_us, cost).retry_after_us
    if wait_us is None:
        assert cost > amount
        return
    assert decide(counts, window, now_us + wait_us, cost).admitted
    if wait_us:
        assert not decide(counts, window, now_us + wait_us - 1, cost).admitted


@pytest.mark.parametrize("span", list(Span))
def test_full_load_uses_nearly_all(span: Span) -> None:
    """A caller that always waits as told gets at least 97 % of the allowance."""
    window = Window.of(Limit(Unit.REQUESTS, span, 100))
    counts: dict[int, int] = {}
    now_us, admitted = _START_US, 0
    end_us = now_us + 20 * window.length_us
    while now_us < end_us:
        decision = decide(counts, window, now_us, 1)
        if decision.admitted:
            counts[window.slot(now_us)] = counts.get(window.slot(now_us), 0) + 1
            admitted += 1
        else:
            assert decision.retry_after_us is not None
            now_us += decision.retry_after_us
    assert admitted >= 0.97 * 100 * 20


def test_a_quota_of_nothing_never_admits() -> None:
    """An amount of 0 is never, not "after a while"."""
    decision = decide({}, Window(0, 1000), _START_US, 0)
    assert (decision.admitted, decision.retry_after_us) == (False, None)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 30_000_000),
            st.integers(1, 12),
            st.integers(-12, 12),  # what the real usage differs by
            st.none() | st.integers(0, 25),  # remaining, as a header says
            st.none() | st.integers(0, 70_000_000),  # and its reset in us
        ),
        min_size=1,
        max_size=25,
    ),
    amount=st.integers(1, 20),
)
def test_lua_equals_python(
    redis_url: str,
    steps: list[tuple[int, int, int, int | None, int | None]],
    amount: int,
) -> None:
    """The scripts decide and count as the reference does, settlements and headers included."""
    asyncio.run(_compare(redis_url, steps, amount))


async def _compare(
    redis_url: str, steps: list[tuple[int, int, int, int | None, int | None]], amount: int
) -> None:
    limit = Limit(Unit.TOKENS, Span.MINUTE, amount)
    window = Window.of(limit)
    target = make_target(limits=(limit,))
    clock = ManualClock()
    counts: dict[int, int] = {}
    async with Redis.from_url(redis_url) as redis, Store(redis_url) as store:
        await redis.flushall()
        limiter = Limiter(store, StaticPolicy(), clock)
        for pause_us, cost, difference, remaining, reset_us in steps:
            clock.now_us += pause_us
            expected = decide(counts, window, clock.now_us, cost)
            taken = await _reserve(limiter, target, cost)
            if isinstance(taken, RateLimited):
                assert not expected.admitted
                told = taken.retry_after_s
                assert (None if told is None else round(told * 1e6)) == expected.retry_after_us
                continue
            assert expected.admitted
            slot = window.slot(clock.now_us)
            counts[slot] = counts.get(slot, 0) + cost
            real = max(0, cost + difference)
            reading = {} if remaining is None else {limit: Reading(remaining, reset_us)}
            await limiter.settle(taken, Settlement(tokens=real, readings=reading))
            counts[slot] = max(0, counts[slot] + real - cost)
            if remaining is not None:
                where, more = observed_charge(counts, window, clock.now_us, remaining, reset_us)
                counts[where] = counts.get(where, 0) + more
            level = (await limiter.levels([target]))[target].limits[0]
            assert level.left == max(0, amount - used(counts, window, clock.now_us))


async def _reserve(limiter: Limiter, target: Target, cost: int) -> Reservation | RateLimited:
    try:
        # A wish for a long answer is held to the quota, a long prompt is not.
        prompt_tokens = cost - 1 if cost <= target.limits[0].amount else cost
        return await limiter.reserve(target, prompt_tokens, 1)
    except RateLimited as error:
        return error

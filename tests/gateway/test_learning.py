"""Limits as they are found out: said by providers, lowered by refusals, grown back, begun low."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway.doors import Doors, Passage, pass_doors
from gateway.errors import ProviderUnavailable, QuotaExhausted, RateLimited, Throttled
from gateway.limiter.learning import learned, refused_for, rest_s
from gateway.limiter.limiter import Limiter, Stand
from gateway.limiter.quota import (
    Learned,
    LimitLevel,
    LimitSource,
    Quota,
    Reading,
    Refusal,
    Reservation,
    Settlement,
)
from gateway.policy import LimiterPolicy, Policy, StaticPolicy
from gateway.resilience.breaker import Breakers
from gateway.store import Store
from gateway.types import Limit, LimitHeader, SaidLimit, Target, Unit, Window, parse_limits
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import make_target

_COLD = LimiterPolicy(warmup_share=1.0, hold_windows=2, growth=0.1)
_MINUTE_S = 61.3  # after which a minute's window is empty again: the window and a slot
_RPM = Limit(Unit.REQUESTS, Window.MINUTE, 60)


class Bench(NamedTuple):
    """A limiter on real Redis whose time the test moves."""

    limiter: Limiter
    clock: ManualClock

    async def take(self, target: Target, most: int) -> list[Reservation]:
        """As many reservations as are given now, at most so many."""
        taken: list[Reservation] = []
        for _ in range(most):
            try:
                taken.append(await self.limiter.reserve(target, 1, 1))
            except RateLimited:
                break
        return taken

    async def level(self, target: Target, name: str = "rpm") -> LimitLevel:
        level = (await self.limiter.levels([target]))[target]
        return next(one for one in (*level.limits, *level.assumed) if one.limit.name == name)

    async def refuse(self, taken: Sequence[Reservation], refused: Refusal | Limit) -> None:
        for one in taken:
            await self.limiter.settle(one, Settlement(tokens=0, refused=refused))

    async def answer(self, taken: Sequence[Reservation], **said: Reading) -> None:
        for one in taken:
            named = {limit: said[limit.name] for limit in one.quota.limits if limit.name in said}
            await self.limiter.settle(one, Settlement(readings=named, is_answered=True))

    def wait(self, seconds: float) -> None:
        self.clock.now_us += int(seconds * 1e6)


def policy_of(limiter: LimiterPolicy) -> StaticPolicy:
    return StaticPolicy(Policy(limiter=limiter))


@pytest.fixture
async def bench(redis_url: str) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with Store(redis_url) as store:
        yield Bench(Limiter(store, policy_of(_COLD), clock), clock)


async def test_a_higher_limit_that_was_said_holds(bench: Bench) -> None:
    """Credits were bought: the headers say so, and the level says who said it, and when."""
    target = make_target(limits=parse_limits({"rpm": 2}))
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=5))
    bench.wait(10)
    level = await bench.level(target)
    assert (level.amount, level.limit.amount) == (5, 2)
    assert (level.source, level.learned_s_ago) == (LimitSource.HEADERS, 10)
    assert len(await bench.take(target, 9)) == 4
    assert (await bench.level(target)).left == 0


async def test_what_was_said_is_told_though_something_lower_was_measured(bench: Bench) -> None:
    """A page shows both, and which of them holds."""
    target = make_target(limits=(_RPM,))
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=30))
    bench.wait(_MINUTE_S)
    await bench.refuse(await bench.take(target, 1), Refusal.SOME_LIMIT)
    level = await bench.level(target)
    assert (level.amount, level.source, level.measured) == (
        15,
        LimitSource.MEASURED,
        Learned(15, 0),
    )
    assert level.said == Learned(30, _MINUTE_S)


async def test_a_lower_limit_that_was_said_holds_until_it_is_old(bench: Bench) -> None:
    """After a week without confirmation the published one counts again."""
    target = make_target(limits=parse_limits({"rpm": 9}))
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=3))
    assert len(await bench.take(target, 9)) == 2
    bench.wait(7 * 86_400 + 1)
    level = await bench.level(target)
    assert (level.amount, level.source) == (9, LimitSource.PUBLISHED)


async def test_a_limit_an_admin_pinned_holds_whatever_was_said(bench: Bench) -> None:
    """For a rolling window and for a calendar's day. Unpinned, what was said meanwhile holds."""
    for name in ("rpm", "rpd"):
        pinned = make_target(limits=parse_limits({name: 4}, {"day": "UTC"}, pinned=[name]))
        await bench.answer(await bench.take(pinned, 1), **{name: Reading(amount=9)})
        level = await bench.level(pinned, name)
        assert (level.amount, level.source) == (4, LimitSource.PINNED)
        assert len(await bench.take(pinned, 9)) == 3
        free = make_target(limits=parse_limits({name: 4}, {"day": "UTC"}))
        level = await bench.level(free, name)
        assert (level.amount, level.source) == (9, LimitSource.HEADERS)


async def test_what_is_left_counts_from_what_was_said(bench: Bench) -> None:
    """Of 100 a minute 90 are left, whatever was published."""
    target = make_target(limits=parse_limits({"rpm": 20}))
    await bench.answer(await bench.take(target, 1), rpm=Reading(remaining=90, amount=100))
    assert (await bench.level(target)).left == 90


async def test_a_burst_of_refusals_shows_where_the_limit_is(bench: Bench) -> None:
    """Of 60 under way 20 are refused: it is 40. More refusals of that burst lower no further."""
    target = make_target(limits=(_RPM,))
    taken = await bench.take(target, 60)
    await bench.answer(taken[:40])
    await bench.refuse(taken[40:], Refusal.SOME_LIMIT)
    level = await bench.level(target)
    assert (level.amount, level.source) == (40, LimitSource.MEASURED)


async def test_one_refusal_halves_at_most_and_a_floor_holds(bench: Bench) -> None:
    """A refusal early in the minute says little; many in a row never end in nothing."""
    target = make_target(limits=(_RPM,))
    amounts = []
    for _ in range(9):
        bench.wait(_MINUTE_S)
        await bench.refuse(await bench.take(target, 1), Refusal.SOME_LIMIT)
        amounts.append((await bench.level(target)).amount)
    assert amounts == [30, 15, 7, 3, 3, 3, 3, 3, 3]  # the floor: 5 % of 60


async def test_it_grows_back_slowly_and_not_beyond(bench: Bench) -> None:
    """It holds for two windows, then grows by a tenth of itself in each, up to the published."""
    target = make_target(limits=(_RPM,))
    taken = await bench.take(target, 60)
    await bench.refuse(taken[40:], Refusal.SOME_LIMIT)
    bench.wait(120)
    assert (await bench.level(target)).amount == 40
    bench.wait(60)
    assert (await bench.level(target)).amount == 44
    bench.wait(4 * 60)
    level = await bench.level(target)
    assert (level.amount, level.source) == (60, LimitSource.PUBLISHED)
    bench.wait(86_400)
    assert len(await bench.take(target, 99)) == 60


async def test_growth_that_is_refused_is_tried_more_rarely(bench: Bench) -> None:
    """The second time it holds twice as long."""
    target = make_target(limits=(_RPM,))
    await bench.refuse((await bench.take(target, 60))[40:], Refusal.SOME_LIMIT)
    bench.wait(180)
    taken = await bench.take(target, 60)
    assert len(taken) == 44
    await bench.refuse(taken[-4:], Refusal.SOME_LIMIT)
    assert (await bench.level(target)).amount == 40
    bench.wait(4 * 60)
    assert (await bench.level(target)).amount == 40
    bench.wait(60)
    assert (await bench.level(target)).amount == 44


async def test_the_limit_that_was_broken_is_lowered(bench: Bench) -> None:
    """A refusal that names the day's tokens leaves the minute's requests alone."""
    per_day = Limit(Unit.TOKENS, Window.DAY, 1000)
    target = make_target(limits=(_RPM, per_day))
    await bench.refuse(await bench.take(target, 1), per_day)
    assert (await bench.level(target, "tpd")).amount == 500
    assert (await bench.level(target)).amount == 60


async def test_a_used_up_day_lowers_the_day(bench: Bench) -> None:
    """Nothing says which limit, but it is one of a day."""
    target = make_target(limits=parse_limits({"rpm": 60, "rpd": 100}))
    await bench.refuse(await bench.take(target, 1), Refusal.LONG_LIMIT)
    assert (await bench.level(target, "rpd")).amount == 50
    assert (await bench.level(target)).amount == 60


async def test_unknown_limits_begin_low_and_grow_with_use(bench: Bench) -> None:
    """Each answer in a filled window raises it by one; the first refusal shows the limit."""
    target = make_target(hides_limits=True)
    level = await bench.level(target)
    assert (level.amount, level.source) == (20, LimitSource.ASSUMED)
    amounts = []
    for _ in range(4):
        taken = await bench.take(target, 500)
        amounts.append(len(taken))
        await bench.answer(taken)
        bench.wait(_MINUTE_S)
    assert amounts == [20, 40, 80, 160]
    taken = await bench.take(target, 500)
    await bench.answer(taken[:200])
    await bench.refuse(taken[200:], Refusal.SOME_LIMIT)
    assert len(taken) == 320
    level = await bench.level(target)
    assert (level.amount, level.source) == (200, LimitSource.MEASURED)


async def test_unknown_limits_do_not_grow_unused(bench: Bench) -> None:
    """A call now and then proves nothing."""
    target = make_target(hides_limits=True)
    for _ in range(20):
        await bench.answer(await bench.take(target, 2))
        bench.wait(_MINUTE_S)
    assert (await bench.level(target)).amount == 20


async def test_a_said_limit_ends_the_guessing(bench: Bench) -> None:
    """What the provider says goes before what was tried out."""
    target = make_target(hides_limits=True)
    await bench.answer(await bench.take(target, 20), rpm=Reading(amount=30))
    level = await bench.level(target)
    assert (level.amount, level.source) == (30, LimitSource.HEADERS)


async def test_limits_that_only_headers_name(bench: Bench) -> None:
    """Tokens a minute are not published; from the first answer on they are known, and kept to."""
    headers = (LimitHeader("x-limit", "limit tokens/minute", "integer"),)
    target = make_target(hides_limits=True, limit_headers=headers)
    level = (await bench.limiter.levels([target]))[target]
    assert level.limits == ()
    assert [one.limit.name for one in level.assumed] == ["rpm"]
    first = await bench.limiter.reserve(target, 400, 600)
    readings = learned(first.quota, headers, {"x-limit": "1500"}, None)
    told = Settlement(tokens=1000, readings=readings, is_answered=True)
    await bench.limiter.settle(first, told)
    said = await bench.level(target, "tpm")
    assert (said.amount, said.left, said.source) == (1500, 500, LimitSource.HEADERS)
    with pytest.raises(RateLimited):
        await bench.limiter.reserve(target, 501, 1)
    bench.wait(_MINUTE_S)
    await bench.limiter.reserve(target, 100, 5000)  # the wish is longer than the limit: alone


async def test_what_was_learned_survives_a_restart(bench: Bench, redis_url: str) -> None:
    """It is kept beside the windows, for all processes."""
    target = make_target(limits=(_RPM,))
    await bench.refuse(await bench.take(target, 1), Refusal.SOME_LIMIT)
    async with Store(redis_url) as store:
        other = Bench(Limiter(store, policy_of(_COLD), bench.clock), bench.clock)
        assert (await other.level(target)).amount == 30


async def test_it_warms_up_at_the_start_and_after_a_refusal(redis_url: str) -> None:
    """Half the rate at first, all of it twenty seconds later; the wait is told exactly."""
    clock = ManualClock()
    target = make_target(limits=parse_limits({"rpm": 60}))
    async with Store(redis_url) as store:
        bench = Bench(Limiter(store, policy_of(LimiterPolicy()), clock), clock)
        taken = await bench.take(target, 99)
        assert len(taken) == 30
        with pytest.raises(RateLimited) as caught:
            await bench.limiter.reserve(target, 1, 1)
        wait_s = caught.value.retry_after_s or 0
        assert wait_s == pytest.approx(20 / 30, abs=0.01)
        bench.wait(wait_s)
        taken += await bench.take(target, 1)
        bench.wait(10 - wait_s)
        assert len(await bench.take(target, 99)) == 14
        bench.wait(10)
        assert len(await bench.take(target, 99)) == 15
        bench.wait(300)
        assert len(await bench.take(target, 99)) == 60
        await bench.limiter.settle(taken[0], Settlement(block_s=90))
        bench.wait(90)
        assert len(await bench.take(target, 99)) == 30


async def test_it_warms_up_after_an_outage(redis_url: str) -> None:
    """The probe of a half-open breaker begins it: nobody falls upon who has just come back."""
    clock, target = ManualClock(), make_target(limits=(_RPM,))
    policy = policy_of(LimiterPolicy())
    async with Store(redis_url) as store:
        bench = Bench(Limiter(store, policy, clock), clock)
        breakers = Breakers(store, policy, clock)
        await bench.take(target, 1)
        bench.wait(600)
        for number in range(20):
            await breakers.leave(target, f"call-{number}", ProviderUnavailable("It is down."))
        bench.wait(600)
        door = bench.limiter.door(bench.limiter.bill(target, 1, 1), Stand())
        doors = Doors("probe", breakers=breakers.door(target), quota=door)
        passage = Passage.read(await pass_doors(store, clock.store_us(), doors))
        assert (passage.in_the_way, passage.is_probe) == ("", True)
        assert len(await bench.take(target, 99)) == 29
        bench.wait(20)
        assert len(await bench.take(target, 99)) == 30


async def test_a_small_quota_needs_no_warming_up(redis_url: str) -> None:
    """A person's first five calls go out at once."""
    clock = ManualClock()
    async with Store(redis_url) as store:
        bench = Bench(Limiter(store, policy_of(LimiterPolicy()), clock), clock)
        assert len(await bench.take(make_target(limits=parse_limits({"rpm": 6})), 9)) == 5


async def test_a_call_larger_than_what_is_left_of_a_limit_goes_alone(bench: Bench) -> None:
    """Lowered to 500 tokens, a call of 800 still passes once the window is empty."""
    target = make_target(limits=parse_limits({"tpm": 1000}))
    first = await bench.limiter.reserve(target, 100, 1)
    await bench.refuse([first], Refusal.SOME_LIMIT)
    assert (await bench.level(target, "tpm")).amount == 500
    await bench.limiter.reserve(target, 800, 1)
    with pytest.raises(RateLimited) as caught:
        await bench.limiter.reserve(target, 800, 1)
    assert caught.value.retry_after_s == pytest.approx(60.6, abs=0.7)


_SAID = st.none() | st.integers(0, 40)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 40_000_000),  # pause in us
            st.integers(1, 8),  # how many ask
            st.sampled_from([*Refusal, _RPM]),
            _SAID,  # remaining
            _SAID,  # limit
        ),
        min_size=1,
        max_size=20,
    )
)
def test_never_more_than_what_was_published_or_said(
    redis_url: str, steps: list[tuple[int, int, Refusal | Limit, int | None, int | None]]
) -> None:
    """Whatever is said and refused, no minute holds more than the most that was ever named."""
    asyncio.run(_never_more(redis_url, steps))


async def _never_more(
    redis_url: str, steps: list[tuple[int, int, Refusal | Limit, int | None, int | None]]
) -> None:
    limit = replace(_RPM, amount=12)
    target, clock = make_target(limits=(limit,)), ManualClock()
    admitted: list[int] = []
    async with Redis.from_url(redis_url) as redis, Store(redis_url) as store:
        await redis.flushall()
        bench = Bench(Limiter(store, policy_of(LimiterPolicy()), clock), clock)
        for pause_us, number, refused, remaining, amount in steps:
            clock.now_us += pause_us
            taken = await bench.take(target, number)
            admitted += [one.at_us for one in taken]
            named = replace(limit) if isinstance(refused, Limit) else refused
            said = {limit: Reading(remaining, None, amount)}
            for one in taken:
                await bench.limiter.settle(one, Settlement(refused=named, readings=said))
            level = await bench.level(target)
            assert 1 <= level.amount <= max(40, limit.amount)
    most = max([12, *(amount or 0 for *_, amount in steps)])
    for begin_us in admitted:
        assert sum(begin_us <= at < begin_us + 60_000_000 for at in admitted) <= most


def test_a_refusal_that_explains_itself_lowers_nothing() -> None:
    """It says what is left, or what there is; else it says at most which limit it was."""
    quota = Quota.of(make_target(limits=parse_limits({"rpm": 60, "rpd": 100})), Policy())
    minute, day = sorted(quota.limits, key=lambda one: one.window.seconds)
    named = SaidLimit(Unit.REQUESTS, Window.DAY)
    error = QuotaExhausted("No more today.", said=(named,))
    assert refused_for(quota, error, learned(quota, (), {}, error)) == day
    told = Throttled("30 a minute.", said=(SaidLimit(Unit.REQUESTS, Window.MINUTE, 30),))
    readings = learned(quota, (), {}, told)
    assert readings == {minute: Reading(amount=30)}
    assert refused_for(quota, told, readings) is Refusal.NONE
    assert refused_for(quota, Throttled("No."), {}) is Refusal.SOME_LIMIT
    assert refused_for(quota, QuotaExhausted("No."), {}) is Refusal.LONG_LIMIT
    assert refused_for(quota, None, {}) is Refusal.NONE
    empty = {minute: Reading(remaining=0)}
    assert refused_for(quota, Throttled("No."), empty) is Refusal.NONE


def test_a_used_up_day_rests_until_the_providers_midnight() -> None:
    """09:00 in California: fifteen hours, and five seconds for clocks that differ."""
    limits = parse_limits({"rpd": 20}, {"day": "America/Los_Angeles"})
    quota, policy = Quota.of(make_target(limits=limits), Policy()), LimiterPolicy()
    nine_us = 1_795_366_800_000_000  # 2026-11-22 17:00 UTC
    assert rest_s(quota, QuotaExhausted("No."), policy, nine_us) == 15 * 3600 + 5
    asked = QuotaExhausted("No.", retry_after_s=60)
    assert rest_s(quota, asked, policy, nine_us) == 60
    assert rest_s(quota, Throttled("No."), policy, nine_us) == policy.throttled_pause_s
    assert rest_s(quota, None, policy, nine_us) == 0
    rolling = Quota.of(make_target(limits=parse_limits({"rpd": 20})), Policy())
    assert rest_s(rolling, QuotaExhausted("No."), policy, nine_us) == policy.exhausted_pause_s

"""Limits set by hand, a ceiling below what is published, and providers that are not listened to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from gateway.admission import Admissions
from gateway.call import Call, Try
from gateway.clock import SystemClock
from gateway.errors import RateLimited
from gateway.limiter.limiter import Limiter, Stand
from gateway.limiter.quota import LimitSource, Reading
from gateway.policy import Overrides, Policy, Scope, StaticPolicy
from gateway.store import Store
from gateway.types import ChatRequest, Message, Target, parse_limits
from tests.gateway.test_learning import Bench
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import make_target

_COLD = {"limiter.warmup_share": 1.0}


@dataclass
class Changeable:
    """A policy that the test changes under the limiter, as publishing does."""

    now: StaticPolicy = field(default_factory=lambda: StaticPolicy(overrides={Scope(): _COLD}))

    def set(self, values: dict[str, float], scope: Scope = Scope()) -> None:  # noqa: B008 - frozen
        overrides: Overrides = {Scope(): _COLD, scope: {**_COLD, **values}}
        self.now = StaticPolicy(overrides=overrides)

    def current(self) -> Policy:
        return self.now.current()

    def at(self, provider: str, model: str = "") -> Policy:
        return self.now.at(provider, model)


@pytest.fixture
def policy() -> Changeable:
    return Changeable()


@pytest.fixture
async def bench(redis_url: str, policy: Changeable) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with Store(redis_url) as store:
        yield Bench(Limiter(store, policy, clock), clock)


async def test_a_limit_set_by_hand_holds_at_once(bench: Bench, policy: Changeable) -> None:
    """What was used before it was lowered counts; raised again there is room again."""
    target = make_target(limits=parse_limits({"rpm": 10}))
    await bench.take(target, 3)
    policy.set({"limits.rpm": 4})
    assert len(await bench.take(target, 9)) == 1
    level = await bench.level(target)
    assert (level.amount, level.left, level.source) == (4, 0, LimitSource.PINNED)
    policy.set({"limits.rpm": 12})
    assert len(await bench.take(target, 20)) == 8


async def test_it_holds_for_its_level_only(bench: Bench, policy: Changeable) -> None:
    """Another offer of the provider keeps what is published."""
    mine = make_target(model="mine", limits=parse_limits({"rpm": 10}), pool="mine")
    other = make_target(model="other", limits=parse_limits({"rpm": 10}), pool="other")
    policy.set({"limits.rpm": 4}, Scope(mine.provider, "mine"))
    assert len(await bench.take(mine, 20)) == 4
    assert len(await bench.take(other, 20)) == 10


async def test_a_dimension_nobody_publishes_can_be_limited(
    bench: Bench, policy: Changeable
) -> None:
    """It gets a window of its own."""
    target = make_target(limits=parse_limits({"tpm": 1000}))
    policy.set({"limits.rpd": 3})
    assert len(await bench.take(target, 20)) == 3
    assert (await bench.level(target, "rpd")).source is LimitSource.PINNED


async def test_nothing_a_provider_says_moves_it(bench: Bench, policy: Changeable) -> None:
    """Headers name another amount; that there is little left is heard all the same."""
    target = make_target(limits=parse_limits({"rpm": 10}))
    policy.set({"limits.rpm": 6})
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=100))
    assert (await bench.level(target)).amount == 6
    await bench.answer(await bench.take(target, 1), rpm=Reading(remaining=1))
    assert (await bench.level(target)).left == 1


@pytest.mark.parametrize("said", [None, 40])
async def test_only_a_share_of_a_limit_is_used(
    bench: Bench, policy: Changeable, said: int | None
) -> None:
    """Of what is published, or of what a header names; what is left is counted from the whole."""
    target = make_target(limits=parse_limits({"rpm": 20}))
    policy.set({"limiter.most_share": 0.5})
    whole = said or 20
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=said))
    assert len(await bench.take(target, 99)) == whole // 2 - 1
    bench.wait(62)
    await bench.answer(await bench.take(target, 1), rpm=Reading(remaining=whole - 3))
    assert (await bench.level(target)).left == whole // 2 - 3


async def test_headers_learned_before_do_not_count_when_they_are_not_followed(
    bench: Bench, policy: Changeable
) -> None:
    """Switched on again they count at once."""
    target = make_target(limits=parse_limits({"rpm": 10}))
    await bench.answer(await bench.take(target, 1), rpm=Reading(amount=4))
    policy.set({"limiter.header_feedback": 0})
    assert (await bench.level(target)).amount == 10
    policy.set({})
    assert (await bench.level(target)).amount == 4


async def test_who_waits_is_told_of_a_raised_limit(redis_url: str, policy: Changeable) -> None:
    """A call in line takes the new limit when it asks next, and keeps the time of its coming."""
    target = make_target(limits=parse_limits({"rpm": 1}))
    async with Store(redis_url) as store:
        admissions = Admissions(store, policy, SystemClock())
        stand, attempt = Stand(would_wait_s=100), _attempt(target)
        await admissions.enter(_attempt(target), Stand())
        with pytest.raises(RateLimited) as refusal:
            await admissions.enter(attempt, stand)
        assert stand.bill is not None
        admissions.limiter.stand_in_line(stand.bill, stand, refusal.value.retry_after_s or 0)
        came = stand.due_us
        policy.set({"limits.rpm": 2})
        await asyncio.wait_for(admissions.enter(attempt, stand), 5)
        assert (stand.waiter, stand.due_us) == (None, came)
        await admissions.drain()


def _attempt(target: Target) -> Try:
    call = Call(ChatRequest((Message("user", "hello"),)), SystemClock(), is_streamed=False)
    return Try(call, target)

"""Breakers: Lua against the reference as a state machine, and as calls feel them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from redis import Redis

from gateway.client import Gateway
from gateway.errors import (
    AllTargetsFailed,
    CircuitOpen,
    InvalidRequest,
    ProviderUnavailable,
)
from gateway.policy import BreakerPolicy, Policy, StaticPolicy
from gateway.resilience.breaker import Breakers, _rules
from gateway.resilience.breaker_rules import Breaker, BreakerState, Verdict
from gateway.store import Store
from gateway.types import Outcome, Target
from tests.gateway.conftest import QUICK
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import answers, ask, make_target, refuses, upstream

_POLICY = BreakerPolicy(
    offer_min_calls=3, provider_min_calls=6, cooldown_s=10, probes=2, probe_ttl_s=60
)
_TARGETS = (make_target(model="a"), make_target(model="b"))
_ERRORS = {
    Verdict.SUCCESS: None,
    Verdict.FAILURE: ProviderUnavailable("down"),
    Verdict.NEUTRAL: asyncio.CancelledError(),
}


class BreakerMachine(RuleBasedStateMachine):
    """Two offers of one provider, any number of processes (they share nothing but Redis)."""

    redis_url = ""

    def __init__(self) -> None:
        super().__init__()
        with Redis.from_url(self.redis_url) as redis:
            redis.flushall()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.store = Store(self.redis_url)
        self.breakers = Breakers(self.store, StaticPolicy(Policy(breaker=_POLICY)), self.clock)
        self.both_rules = _rules(_POLICY)
        self.provider = Breaker()
        self.offers = {target: Breaker() for target in _TARGETS}
        self.under_way: list[tuple[str, int]] = []
        self.calls = 0

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.__aexit__())
        self.loop.close()

    @rule(microseconds=st.integers(0, 20_000_000))
    def time_passes(self, microseconds: int) -> None:
        self.clock.now_us += microseconds

    @rule(which=st.sampled_from([0, 1]))
    def enter(self, which: int) -> None:
        target = _TARGETS[which]
        both = (self.provider, self.offers[target])
        now_us = self.clock.now_us
        expected = max(one.wait_us(now_us, r) for one, r in zip(both, self.both_rules, strict=True))
        self.calls += 1
        call = f"call.{self.calls}"
        if expected:
            with pytest.raises(CircuitOpen) as caught:
                self.loop.run_until_complete(self.breakers.enter(target, call))
            assert caught.value.retry_after_s == pytest.approx(expected / 1e6, abs=1e-6)
            return
        is_probe = self.loop.run_until_complete(self.breakers.enter(target, call))
        half_open = [one.state(now_us) is BreakerState.HALF_OPEN for one in both]
        assert is_probe == any(half_open)
        for one, rules in zip(both, self.both_rules, strict=True):
            one.enter(call, now_us, rules)
        self.under_way.append((call, which))

    @rule(verdict=st.sampled_from(list(Verdict)), index=st.integers(0, 50))
    def leave(self, verdict: Verdict, index: int) -> None:
        if not self.under_way:
            return
        call, which = self.under_way.pop(index % len(self.under_way))
        target = _TARGETS[which]
        self.loop.run_until_complete(self.leaving(target, call, _ERRORS[verdict]))
        for one, rules in zip((self.provider, self.offers[target]), self.both_rules, strict=True):
            one.leave(call, verdict, "down", self.clock.now_us, rules)

    async def leaving(self, target: Target, call: str, error: BaseException | None) -> None:
        await self.breakers.leave(target, call, error)

    @invariant()
    def redis_knows_the_same(self) -> None:
        pairs = [("acme", None), *((one.provider, one.model) for one in _TARGETS)]
        views = self.loop.run_until_complete(self.breakers.states(pairs))
        for pair, breaker in zip(pairs, (self.provider, *self.offers.values()), strict=True):
            assert views[pair].state is breaker.state(self.clock.now_us)
            assert views[pair].trips == breaker.trips

    @invariant()
    def never_more_probes_than_allowed(self) -> None:
        now_us = self.clock.now_us
        for breaker in (self.provider, *self.offers.values()):
            held = [until for until in breaker.probes.values() if until > now_us]
            assert len(held) <= _POLICY.probes


def test_lua_equals_the_reference(redis_url: str) -> None:
    """Any order of calls, outcomes and pauses leaves Redis in the state the rules say."""
    BreakerMachine.redis_url = redis_url
    case = BreakerMachine.TestCase
    case.settings = settings(
        max_examples=25,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    case().runTest()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_a_failing_offer_is_given_a_rest(redis_url: str, clock: ManualClock) -> None:
    """It opens, says so, lets one probe through after its rest, and closes on an answer."""
    policy = replace(QUICK, breaker=BreakerPolicy(offer_min_calls=4))
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy), clock=clock) as gateway,
        upstream(refuses(503, {"error": "overloaded"})) as provider,
    ):
        target = provider.target()
        for _ in range(2):
            with pytest.raises(AllTargetsFailed):
                await gateway.complete(ask(), [target])
            await gateway.drain()
        with pytest.raises(AllTargetsFailed, match="a rest after failures: Answered 503") as e:
            await gateway.complete(ask(), [target])
        assert e.value.outcome is Outcome.CIRCUIT_OPEN
        assert len(provider.received) == 4
        view = (await gateway.breaker_states([("acme", "m")]))["acme", "m"]
        assert (view.state, view.trips) == (BreakerState.OPEN, 1)
        assert 14 < view.retry_in_s <= 15

        clock.now_us += 16_000_000
        provider.script = answers
        assert (await gateway.complete(ask(), [target])).text == "Hello."
        await gateway.drain()
        views = await gateway.breaker_states([("acme", "m"), ("acme", None)])
        assert {view.state for view in views.values()} == {BreakerState.CLOSED}


async def test_other_offers_go_on(redis_url: str) -> None:
    """One model's breaker does not stop its siblings."""
    policy = replace(QUICK, breaker=BreakerPolicy(offer_min_calls=2))
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(refuses(503)) as provider,
    ):
        for _ in range(5):
            with pytest.raises(AllTargetsFailed):
                await gateway.complete(ask(), [provider.target("bad")])
            await gateway.drain()
        provider.script = answers
        assert (await gateway.complete(ask(), [provider.target("good")])).text == "Hello."


async def test_the_callers_fault_opens_nothing(redis_url: str) -> None:
    """Bad requests, wrong keys and refusals for rate say nothing about the provider's health."""
    policy = replace(QUICK, breaker=BreakerPolicy(offer_min_calls=1, provider_min_calls=1))
    async with Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway:
        for status in (400, 401, 403, 404, 429):
            async with upstream(refuses(status)) as provider:
                with pytest.raises((AllTargetsFailed, InvalidRequest)):
                    await gateway.complete(ask(), [provider.target(pool=str(status))])
                await gateway.drain()
        views = await gateway.breaker_states([("acme", None), ("acme", "m")])
    assert {view.state for view in views.values()} == {BreakerState.CLOSED}

"""Breakers: Lua against the reference as a state machine, and as calls feel them."""

from __future__ import annotations

import asyncio
import sys
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
from gateway.policy import (
    BreakerPolicy,
    Policy,
    RetryPolicy,
    Scope,
    StaticPolicy,
    TimeoutPolicy,
)
from gateway.resilience.breaker import Breakers, _rules
from gateway.resilience.breaker_rules import Breaker, BreakerState, Forced, Verdict
from gateway.store import Store
from gateway.types import Completion, Outcome, Target
from tests.gateway.conftest import QUICK
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import (
    Received,
    Wire,
    answers,
    ask,
    make_target,
    refuses,
    upstream,
)

_POLICY = BreakerPolicy(
    offer_min_calls=3,
    provider_min_calls=6,
    window_calls=6,
    cooldown_s=10,
    probes=2,
    probe_ttl_s=60,
    slow_call_s=5,
    slow_rate=0.6,
)
_TARGETS = (make_target(model="a"), make_target(model="b"))
_ENDINGS: dict[Verdict, tuple[BaseException | None, float, str]] = {
    Verdict.SUCCESS: (None, 5.0, ""),
    Verdict.SLOW: (None, 5.1, "It took 5.1 s to answer."),
    Verdict.FAILURE: (ProviderUnavailable("down"), 9.0, "down"),
    Verdict.NEUTRAL: (asyncio.CancelledError(), 9.0, ""),
}
_ANY = _rules(_POLICY)[0]
_PATIENT = TimeoutPolicy(answer_s=60)
_BURST = 20


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

    @rule()
    def the_clock_is_set_back(self) -> None:
        self.clock.now_us = max(3_600_000_000, self.clock.now_us - 3_600_000_000)

    @rule(which=st.sampled_from([None, 0, 1]), is_open=st.booleans(), for_s=st.integers(1, 30))
    def force(self, which: int | None, is_open: bool, for_s: int) -> None:
        model, breaker = self.named(which)
        self.loop.run_until_complete(
            self.breakers.force("acme", model, is_open=is_open, for_s=for_s, reason="works")
        )
        state = BreakerState.OPEN if is_open else BreakerState.CLOSED
        breaker.forced = Forced(state, self.clock.now_us + for_s * 1_000_000, "by hand: works")

    @rule(which=st.sampled_from([None, 0, 1]))
    def reset(self, which: int | None) -> None:
        model, breaker = self.named(which)
        self.loop.run_until_complete(self.breakers.reset("acme", model))
        breaker.__init__()  # type: ignore[misc]  # as new

    def named(self, which: int | None) -> tuple[str | None, Breaker]:
        if which is None:
            return None, self.provider
        return _TARGETS[which].model, self.offers[_TARGETS[which]]

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
        self.loop.run_until_complete(self.breakers.enter(target, call))
        for one, rules in zip(both, self.both_rules, strict=True):
            one.enter(call, now_us, rules)
        self.under_way.append((call, which))

    @rule(verdict=st.sampled_from(list(Verdict)), index=st.integers(0, 50))
    def leave(self, verdict: Verdict, index: int) -> None:
        if not self.under_way:
            return
        call, which = self.under_way.pop(index % len(self.under_way))
        target = _TARGETS[which]
        error, took_s, reason = _ENDINGS[verdict]
        self.loop.run_until_complete(self.leaving(target, call, error, took_s))
        for one, rules in zip((self.provider, self.offers[target]), self.both_rules, strict=True):
            one.leave(call, verdict, reason, self.clock.now_us, rules)

    @rule(
        which=st.sampled_from([0, 1]),
        verdicts=st.lists(st.sampled_from(list(Verdict)), min_size=3, max_size=9),
        pause_us=st.sampled_from([0, 1_000_000, 7_000_000]),
    )
    def calls_one_by_one(self, which: int, verdicts: list[Verdict], pause_us: int) -> None:
        for verdict in verdicts:
            before = len(self.under_way)
            self.enter(which)
            if len(self.under_way) > before:
                self.leave(verdict, before)
            self.clock.now_us += pause_us

    @rule(which=st.sampled_from([0, 1]), answers=st.integers(0, 12))
    def dies_after_answers(self, which: int, answers: int) -> None:
        self.calls_one_by_one(which, [Verdict.SUCCESS] * answers, 0)
        self.calls_one_by_one(which, [Verdict.FAILURE] * 7, 0)

    @rule(which=st.sampled_from([0, 1]), probe_ends=st.sampled_from(list(Verdict)))
    def fails_and_rests(self, which: int, probe_ends: Verdict) -> None:
        self.calls_one_by_one(which, [Verdict.FAILURE] * 4, 0)
        self.time_passes(max(0, self.offers[_TARGETS[which]].open_until_us - self.clock.now_us))
        self.calls_one_by_one(which, [probe_ends] * 3, 0)

    async def leaving(
        self, target: Target, call: str, error: BaseException | None, took_s: float
    ) -> None:
        await self.breakers.leave(target, call, error, took_s)

    @invariant()
    def redis_knows_the_same(self) -> None:
        pairs = [("acme", None), *((one.provider, one.model) for one in _TARGETS)]
        views = self.loop.run_until_complete(self.breakers.states(pairs))
        for pair, breaker in zip(pairs, (self.provider, *self.offers.values()), strict=True):
            assert views[pair].state is breaker.state(self.clock.now_us)
            now_us, view = self.clock.now_us, views[pair]
            is_shut = view.state is not BreakerState.CLOSED
            if is_shut or view.is_forced:
                assert (view.trips, view.reason) == (breaker.trips, breaker.why(now_us))
            assert view.is_forced == (breaker.in_force(now_us) is not None)
            if view.state is BreakerState.OPEN:
                assert view.retry_in_s == pytest.approx(breaker.wait_us(now_us, _ANY) / 1e6)

    @invariant()
    def never_more_probes_than_allowed(self) -> None:
        now_us = self.clock.now_us
        for breaker in (self.provider, *self.offers.values()):
            assert len(breaker._held(now_us, _ANY)) <= _POLICY.probes


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
    policy = replace(QUICK, breaker=BreakerPolicy(offer_min_calls=4, cooldown_s=15))
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


async def test_slow_answers_open_it_too(redis_url: str) -> None:
    """All answered, all far too late: it rests, and says why."""

    async def late(wire: Wire, request: Received) -> None:
        await asyncio.sleep(0.05)
        await answers(wire, request)

    policy = replace(QUICK, breaker=BreakerPolicy(offer_min_calls=3, slow_call_s=0.03))
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(late) as provider,
    ):
        for _ in range(3):
            await gateway.complete(ask(), [provider.target()])
            await gateway.drain()
        view = (await gateway.breaker_states([("acme", "m")]))["acme", "m"]
        assert view.state is BreakerState.OPEN
        assert "to answer" in view.reason
        with pytest.raises(AllTargetsFailed, match="It took"):
            await gateway.complete(ask(), [provider.target()])


async def test_forced_open_and_closed(gateway: Gateway, redis_url: str) -> None:
    """In every process: held back with the reason given, then let through though it fails."""
    async with upstream(answers) as provider, Gateway.open(redis_url) as other:
        target = provider.target()
        await gateway.force_breaker("acme", None, is_open=True, for_s=60, reason="they move house")
        for engine in (gateway, other):
            with pytest.raises(AllTargetsFailed, match="by hand: they move house") as caught:
                await engine.complete(ask(), [target])
            assert caught.value.outcome is Outcome.CIRCUIT_OPEN
            assert caught.value.retry_after_s == pytest.approx(60, abs=20)
        view = (await gateway.breaker_states([("acme", None)]))["acme", None]
        assert view.is_forced
        assert provider.received == []

        await gateway.force_breaker("acme", None, is_open=False, for_s=60, reason="I look")
        await gateway.force_breaker("acme", "m", is_open=False, for_s=60, reason="I look")
        provider.script = refuses(503)
        for _ in range(12):
            with pytest.raises(AllTargetsFailed, match="503"):
                await gateway.complete(ask(), [target])
            await gateway.drain()
        assert len(provider.received) >= 12
        await gateway.reset_breaker("acme", "m")
        view = (await gateway.breaker_states([("acme", "m")]))["acme", "m"]
        assert (view.state, view.is_forced) == (BreakerState.CLOSED, False)
        with pytest.raises(ValueError, match="for_s"):
            await gateway.force_breaker("acme", None, is_open=True, for_s=0, reason="")


async def test_each_offer_by_its_own_policy(redis_url: str) -> None:
    """What is patience for one is none for another."""
    overrides = {Scope("acme", "touchy"): {"breaker.offer_min_calls": 1}}
    policy = StaticPolicy(replace(QUICK, retry=RetryPolicy(max_attempts=1)), overrides)
    async with Gateway.open(redis_url, policy=policy) as gateway, upstream(refuses(503)) as one:
        for model in ("touchy", "calm"):
            with pytest.raises(AllTargetsFailed):
                await gateway.complete(ask(), [one.target(model)])
        await gateway.drain()
        views = await gateway.breaker_states([("acme", "touchy"), ("acme", "calm")])
    assert views["acme", "touchy"].state is BreakerState.OPEN
    assert views["acme", "calm"].state is BreakerState.CLOSED


_PROBER = """
import asyncio, sys
from gateway.client import Gateway
from gateway.policy import BreakerPolicy, Policy, StaticPolicy
from tests.gateway.upstream import ask, make_target

async def main():
    policy = StaticPolicy(Policy(breaker=BreakerPolicy(probe_ttl_s=1)))
    async with Gateway.open(sys.argv[1], policy=policy) as gateway:
        await gateway.complete(ask(), [make_target(sys.argv[2])])

asyncio.run(main())
"""


async def test_a_process_killed_while_it_holds_the_probe(redis_url: str) -> None:
    """Nobody else may try while it lives; after its time the probe is given back."""
    breaker = BreakerPolicy(offer_min_calls=1, cooldown_s=0.1, probe_ttl_s=1)
    policy = StaticPolicy(replace(QUICK, breaker=breaker, retry=RetryPolicy(max_attempts=1)))
    probed = asyncio.Event()

    async def hangs(wire: Wire, _: Received) -> None:
        probed.set()
        await wire.gone()

    async with Gateway.open(redis_url, policy=policy) as gateway, upstream(refuses(503)) as one:
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [one.target()])
        await gateway.drain()
        await asyncio.sleep(0.15)  # the cool-down
        one.script = hangs
        url = one.target().base_url
        prober = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROBER, redis_url, url)
        try:
            async with asyncio.timeout(30):
                await probed.wait()
        finally:
            prober.kill()
            await prober.wait()
        one.script = answers
        async with asyncio.timeout(30):
            while True:
                try:
                    completion = await gateway.complete(ask(), [one.target()])
                except AllTargetsFailed:
                    await asyncio.sleep(0.05)
                else:
                    break
        await gateway.drain()
        view = (await gateway.breaker_states([("acme", "m")]))["acme", "m"]
    assert completion.text == "Hello."
    assert view.state is BreakerState.CLOSED


async def test_quick_failures_of_a_burst_do_not_open_it(redis_url: str) -> None:
    """The first to end are the failed ones; those under way are worth as much."""
    policy = replace(QUICK, retry=RetryPolicy(max_attempts=1))
    all_came, failures_told = asyncio.Event(), asyncio.Event()

    async def fails_quickly_answers_slowly(wire: Wire, request: Received) -> None:
        number = len(one.received)
        if number == _BURST:
            all_came.set()
        await all_came.wait()
        if number <= BreakerPolicy().offer_min_calls:
            await refuses(503)(wire, request)
            return
        await failures_told.wait()
        await answers(wire, request)

    async with (
        Gateway.open(redis_url, policy=StaticPolicy(replace(policy, timeouts=_PATIENT))) as gateway,
        upstream(fails_quickly_answers_slowly) as one,
    ):
        calls = [
            asyncio.create_task(gateway.complete(ask(), [one.target()])) for _ in range(_BURST)
        ]
        async with asyncio.timeout(60):
            while sum(call.done() for call in calls) < BreakerPolicy().offer_min_calls:
                await asyncio.wait(
                    [c for c in calls if not c.done()], return_when="FIRST_COMPLETED"
                )
        await gateway.drain()
        view = (await gateway.breaker_states([("acme", "m")]))["acme", "m"]
        failures_told.set()
        ended = await asyncio.gather(*calls, return_exceptions=True)
    assert view.state is BreakerState.CLOSED
    answered = sum(isinstance(one, Completion) for one in ended)
    assert answered == _BURST - BreakerPolicy().offer_min_calls


async def test_a_hanging_provider_opens_it(redis_url: str) -> None:
    """Who has timed out is under way no longer."""

    async def hangs(wire: Wire, _: Received) -> None:
        await wire.gone()

    policy = replace(QUICK, retry=RetryPolicy(max_attempts=1))
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(hangs) as one,
    ):
        calls = (gateway.complete(ask(), [one.target()]) for _ in range(_BURST))
        await asyncio.gather(*calls, return_exceptions=True)
        await gateway.drain()
        view = (await gateway.breaker_states([("acme", "m")]))["acme", "m"]
    assert view.state is BreakerState.OPEN


async def test_calls_wait_for_a_breaker_about_to_half_open(redis_url: str) -> None:
    """One of them probes; the others go on waiting, and pass when it was answered."""
    breaker = BreakerPolicy(offer_min_calls=1, cooldown_s=0.5)
    policy = replace(QUICK, breaker=breaker, retry=RetryPolicy(max_attempts=1), timeouts=_PATIENT)
    policy = replace(policy, limiter=replace(QUICK.limiter, max_wait_last_s=60))
    came_beside_the_probe: list[int] = []

    async def probed(wire: Wire, request: Received) -> None:
        if len(one.received) == 2:  # the first one opened it
            await asyncio.sleep(0.7)  # longer than anybody who does not wait would wait
            came_beside_the_probe.append(len(one.received) - 2)
        await answers(wire, request)

    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(refuses(503)) as one,
    ):
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [one.target()])
        await gateway.drain()
        one.script = probed
        calls = (gateway.complete(ask(), [one.target()]) for _ in range(_BURST))
        async with asyncio.timeout(60):
            completions = await asyncio.gather(*calls)
    assert [completion.text for completion in completions] == ["Hello."] * _BURST
    assert came_beside_the_probe == [0]
    assert {completion.attempts[0].outcome for completion in completions} == {Outcome.CIRCUIT_OPEN}


async def test_who_waits_for_a_breaker_may_leave(redis_url: str) -> None:
    """Nobody looks at it any more then; and who may not wait so long is told at once."""
    async with Gateway.open(redis_url) as gateway, upstream(answers) as one:
        await gateway.force_breaker("acme", None, is_open=True, for_s=15, reason="works")
        call = asyncio.create_task(gateway.complete(ask(), [one.target()]))
        async with asyncio.timeout(60):
            while not _watchers():
                await gateway.breaker_states([("acme", None)])
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while _watchers():
                await gateway.breaker_states([("acme", None)])
        with pytest.raises(AllTargetsFailed, match="by hand: works"):
            await gateway.complete(ask(deadline_s=2.0), [one.target()])
    assert one.received == []


def _watchers() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "breaker-watcher"]


async def test_it_opens_soon_on_a_provider_that_dies_after_many_answers(redis_url: str) -> None:
    """What was answered before the outage does not have to be outweighed."""
    policy = replace(QUICK, retry=RetryPolicy(max_attempts=1))
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(answers) as one,
    ):
        for _ in range(40):
            await gateway.complete(ask(), [one.target()])
        one.script = refuses(503)
        one.received.clear()
        for _ in range(20):
            with pytest.raises(AllTargetsFailed):
                await gateway.complete(ask(), [one.target()])
            await gateway.drain()
    assert len(one.received) == 2 * BreakerPolicy().offer_min_calls

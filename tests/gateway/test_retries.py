"""Retries within their budget, and a second target for a call that is late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.policy import BreakerPolicy, Policy, RetryPolicy, StaticPolicy, TimeoutPolicy
from gateway.resilience.backoff import pause_s
from gateway.resilience.retry_budget import RetryBudget
from gateway.types import CacheMode, Completion, Outcome, parse_limits
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import Received, Wire, answers, ask, refuses, upstream

_NO_BREAKER = BreakerPolicy(offer_min_calls=1000, provider_min_calls=1000)


def retrying(**fields: float) -> Policy:
    retry = replace(QUICK.retry, **fields)  # type: ignore[arg-type]  # of mixed numbers
    return replace(QUICK, retry=retry, breaker=_NO_BREAKER)


@given(
    calls=st.lists(st.integers(0, 3), max_size=200),
    ratio=st.floats(0, 1),
    burst=st.integers(0, 20),
)
def test_retries_never_pass_their_share(calls: list[int], ratio: float, burst: int) -> None:
    """Whatever fails and however often: no more than was saved, and the share of first attempts."""
    budget, policy = RetryBudget(), RetryPolicy(budget_ratio=ratio, budget_burst=burst)
    taken = 0
    for number, failures in enumerate(calls, start=1):
        budget.first_attempt("acme", policy)
        taken += sum(budget.take("acme", policy) for _ in range(failures))
        assert taken <= burst + ratio * number + 1e-6


async def test_an_outage_is_not_multiplied(redis_url: str) -> None:
    """Twenty calls to a dead provider: its retries end with the budget, another's do not."""
    policy = StaticPolicy(retrying(max_attempts=3, budget_ratio=0.1, budget_burst=5))
    async with Gateway.open(redis_url, policy=policy) as gateway, upstream(refuses(503)) as dead:
        for _ in range(20):
            with pytest.raises(AllTargetsFailed):
                await gateway.complete(ask(), [dead.target()])
        assert 20 + 5 <= len(dead.received) <= 20 + 5 + 2
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [dead.target(provider="other")])
    assert len(caught.value.attempts) == 3


@given(failures=st.integers(1, 100), retry_after_s=st.none() | st.floats(0, 100))
def test_pauses_are_drawn_below_their_bound(failures: int, retry_after_s: float | None) -> None:
    """Full jitter, and never sooner than the provider asked."""
    policy = RetryPolicy(base_s=0.5, cap_s=8)
    pause, least = pause_s(failures, policy, retry_after_s), retry_after_s or 0
    assert least <= pause <= least + min(8, 0.5 * 2 ** (failures - 1))


@asynccontextmanager
async def hedging(redis_url: str) -> AsyncIterator[Gateway]:
    """An engine that has seen what its first target takes."""
    policy = replace(
        retrying(hedging=1, hedge_min_s=0.05),
        timeouts=TimeoutPolicy(answer_s=30, first_token_s=30, stall_s=30),
    )
    async with Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway:
        async with upstream(answers) as quick:
            for _ in range(20):
                await gateway.complete(ask(), [quick.target("slow")])
                async for _item in gateway.stream(ask(), [quick.target("slow")]):
                    pass
        yield gateway


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_late_call_is_sent_to_the_next_target(redis_url: str, is_streamed: bool) -> None:
    """The faster one answers; the other's connection is dropped and its quota given back."""
    gone = asyncio.Event()

    async def hangs(wire: Wire, _: Received) -> None:
        await wire.gone()
        gone.set()

    async with hedging(redis_url) as gateway, upstream(hangs) as late, upstream(answers) as quick:
        slow = late.target("slow", pool="tokens", limits=parse_limits({"tpm": 10_000}))
        targets, request = [slow, quick.target("quick")], ask(max_tokens=5000)
        if is_streamed:
            items = [item async for item in gateway.stream(request, targets)]
            completion = items[-1]
        else:
            completion = await gateway.complete(request, targets)
        async with asyncio.timeout(20):
            await gone.wait()
        await gateway.drain()
        left = (await gateway.levels([slow]))[slow].limits[0].left
    assert isinstance(completion, Completion)
    assert (completion.model, completion.text) == ("quick", "Hello.")
    outcomes = {one.model: one.outcome for one in completion.attempts}
    assert outcomes == {"slow": Outcome.CANCELLED, "quick": Outcome.ANSWERED}
    assert left > 9_000
    assert len(late.received) == len(quick.received) == 1


async def test_the_first_may_still_win(redis_url: str) -> None:
    """Late, but before the second one; which is then cancelled."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def waits(wire: Wire, request: Received) -> None:
        await asked.wait()
        await answers(wire, request)

    async def hangs(wire: Wire, _: Received) -> None:
        asked.set()
        await wire.gone()
        gone.set()

    async with hedging(redis_url) as gateway, upstream(waits) as late, upstream(hangs) as second:
        completion = await gateway.complete(ask(), [late.target("slow"), second.target("x")])
        async with asyncio.timeout(20):
            await gone.wait()
    assert completion.model == "slow"


async def test_both_fail(redis_url: str) -> None:
    """The trail has both; the next target is tried as ever."""
    asked = asyncio.Event()

    async def fails_late(wire: Wire, request: Received) -> None:
        await asked.wait()
        await refuses(404)(wire, request)

    async def fails(wire: Wire, request: Received) -> None:
        asked.set()
        await refuses(500)(wire, request)

    async with hedging(redis_url) as gateway, upstream(fails_late) as one, upstream(fails) as two:
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [one.target("slow"), two.target("x")])
    tried = [(one.model, one.outcome) for one in caught.value.attempts]
    assert ("slow", Outcome.MODEL_GONE) in tried
    assert tried.count(("x", Outcome.UNAVAILABLE)) >= 2


async def test_the_caller_goes_while_both_run(redis_url: str) -> None:
    """Both connections are dropped, and nobody is blamed."""
    gone: asyncio.Queue[None] = asyncio.Queue()
    asked = asyncio.Event()

    async def hangs(wire: Wire, request: Received) -> None:
        if request.json["model"] == "x":
            asked.set()
        await wire.gone()
        gone.put_nowait(None)

    async with hedging(redis_url) as gateway, upstream(hangs) as provider:
        targets = [provider.target("slow"), provider.target("x")]
        call = asyncio.create_task(gateway.complete(ask(cache=CacheMode.SKIP), targets))
        async with asyncio.timeout(20):
            await asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await gone.get()
            await gone.get()


async def test_no_hedging_by_default(gateway: Gateway) -> None:
    """One request for one call, however much is known of its offer."""
    async with upstream(answers) as provider:
        for _ in range(25):
            await gateway.complete(ask(), [provider.target("a"), provider.target("b")])
    assert len(provider.received) == 25


async def test_a_throttled_last_target_is_waited_for(redis_url: str) -> None:
    """Back into its line as often as the wait is within bounds; its retries are of the budget."""

    async def throttles_thrice(wire: Wire, request: Received) -> None:
        script = refuses(429) if len(one.received) <= 3 else answers
        await script(wire, request)

    limiter = replace(QUICK.limiter, max_wait_last_s=60)
    policy = replace(retrying(max_attempts=2, budget_burst=3), limiter=limiter)
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(throttles_thrice) as one,
    ):
        completion = await gateway.complete(ask(), [one.target()])
        sent = [attempt.outcome for attempt in completion.attempts if attempt.was_sent]
        assert sent == [Outcome.THROTTLED] * 3 + [Outcome.ANSWERED]
        one.received.clear()
        with pytest.raises(AllTargetsFailed):  # nothing is left of the budget
            await gateway.complete(ask(), [one.target()])
    assert len(one.received) == 1


async def test_it_comes_back_once_where_all_failed_quickly(redis_url: str) -> None:
    """To each of several targets; to a single one it does not."""
    policy = StaticPolicy(retrying(max_attempts=1))
    async with (
        Gateway.open(redis_url, policy=policy) as gateway,
        upstream(refuses(503)) as one,
        upstream(refuses(503)) as two,
    ):
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [one.target("a"), two.target("b")])
        assert (len(one.received), len(two.received)) == (2, 2)
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [one.target("a")])
    assert len(one.received) == 3


async def test_it_comes_back_before_it_waits_long(redis_url: str) -> None:
    """Who failed by bad luck answers sooner than a breaker that rests for half a minute."""

    async def fails_once(wire: Wire, request: Received) -> None:
        await (refuses(503) if len(unlucky.received) == 1 else answers)(wire, request)

    retries = retrying(max_attempts=1)
    patient = replace(retries.limiter, max_wait_last_s=60)
    resting = replace(retries.breaker, offer_min_calls=2, cooldown_s=30)
    policy = StaticPolicy(replace(retries, limiter=patient, breaker=resting))
    async with (
        Gateway.open(redis_url, policy=policy) as gateway,
        upstream(refuses(503)) as dead,
        upstream(fails_once) as unlucky,
    ):
        for _ in range(2):
            with pytest.raises(AllTargetsFailed):
                await gateway.complete(ask(deadline_s=5), [dead.target("a")])
        targets = [dead.target("a"), unlucky.target("b", provider="other")]
        completion = await asyncio.wait_for(gateway.complete(ask(), targets), 20)
    assert (completion.model, len(dead.received)) == ("b", 2)

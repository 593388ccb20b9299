"""What people who watch breakers are told: how each stands, and every change of its state, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway import keys
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.policy import BreakerPolicy, StaticPolicy
from gateway.resilience.breaker_rules import BreakerState
from gateway.resilience.watching import BEGINNING, BreakerChange, ChangeKind
from gateway.store import StoreAwayError
from gateway.types import Target
from tests.gateway.conftest import QUICK
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import answers, ask, refuses, upstream

_POLICY = replace(QUICK, breaker=BreakerPolicy(offer_min_calls=4, cooldown_s=15))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def gateway(redis_url: str, clock: ManualClock) -> AsyncIterator[Gateway]:
    async with Gateway.open(redis_url, policy=StaticPolicy(_POLICY), clock=clock) as gateway:
        yield gateway


async def fail(gateway: Gateway, target: Target, calls: int) -> None:
    for _ in range(calls):
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [target])
    await gateway.drain()


async def story(gateway: Gateway, provider: str, after: str = BEGINNING) -> list[BreakerChange]:
    return await gateway.breaker_story({provider: after})


async def test_an_opening_and_its_end_are_told(gateway: Gateway, clock: ManualClock) -> None:
    """With the cause, until when, and which breaker; a later reader is told the rest only."""
    async with upstream(refuses(503, {"error": "overloaded"})) as provider:
        target = provider.target()
        await fail(gateway, target, 4)
    opened = [one for one in await story(gateway, target.provider) if one.model]
    assert [(one.kind, one.model, one.trips) for one in opened] == [
        (ChangeKind.OPEN, target.model, 1)
    ]
    assert "overloaded" in opened[0].reason
    assert opened[0].until_s == pytest.approx(clock.now_us / 1e6 + 15, abs=1)

    clock.now_us += 16_000_000
    async with upstream(answers) as provider:
        healed = replace(target, base_url=provider.target().base_url)
        await gateway.complete(ask(), [healed])
        await gateway.drain()
    rest = await story(gateway, target.provider, opened[0].entry_id)
    assert (target.model, ChangeKind.CLOSED) in [(one.model, one.kind) for one in rest]


async def test_what_people_do_is_told_with_who_and_why(gateway: Gateway) -> None:
    """Forced open, forced closed and reset; of an offer and of a provider."""
    name = "odd/model: 8b"
    await gateway.force_breaker(
        "sparrow", name, is_open=True, for_s=60, reason="it lies", by="mara"
    )
    await gateway.force_breaker("sparrow", None, is_open=False, for_s=60, reason="demo", by="ola")
    await gateway.reset_breaker("sparrow", name, reason="upstream is back", by="mara")
    told = await story(gateway, "sparrow")
    assert [(one.model, one.kind, one.by) for one in told] == [
        (name, ChangeKind.FORCED_OPEN, "mara"),
        (None, ChangeKind.FORCED_CLOSED, "ola"),
        (name, ChangeKind.RESET, "mara"),
    ]
    assert told[0].reason == "by hand: it lies"
    assert told[2].reason == "upstream is back"


async def test_calls_that_change_nothing_tell_nothing(
    gateway: Gateway, redis_client: Redis
) -> None:
    """So that the way of a call stays as cheap as it is."""
    async with upstream(answers) as provider:
        target = provider.target()
        for _ in range(3):
            await gateway.complete(ask(), [target])
        await gateway.drain()
    assert await redis_client.exists(keys.breaker_story(target.provider)) == 0


async def test_a_watch_tells_the_window(gateway: Gateway, clock: ManualClock) -> None:
    """How many calls count, how many failed, and where it opens."""
    async with upstream(refuses(503, {"error": "overloaded"})) as provider:
        target = provider.target()
        await fail(gateway, target, 1)
    pair = (target.provider, target.model)
    watch = (await gateway.watch_breakers([pair])).breakers[pair]
    assert (watch.state, watch.slow) == (BreakerState.CLOSED, 0)
    assert watch.calls == watch.failures > 0
    assert watch.failure_share == 1.0
    assert watch.min_calls == 4

    await gateway.force_breaker(*pair, is_open=True, for_s=60, reason="it lies")
    watch = (await gateway.watch_breakers([pair])).breakers[pair]
    assert (watch.state, watch.is_forced) == (BreakerState.OPEN, True)
    assert watch.until_s == pytest.approx(clock.now_us / 1e6 + 60)


async def test_an_unused_breaker_has_no_share(gateway: Gateway) -> None:
    """No calls are not a hundred per cent of anything."""
    pair = ("sparrow", None)
    watch = (await gateway.watch_breakers([pair])).breakers[pair]
    assert (watch.state, watch.failure_share, watch.slow_share) == (BreakerState.CLOSED, None, None)


async def test_without_redis_nothing_is_told() -> None:
    """The page shows what it read last."""
    async with Gateway.open(None, policy=StaticPolicy(_POLICY)) as gateway:
        with pytest.raises(StoreAwayError):
            await gateway.watch_breakers([("sparrow", None)])
        with pytest.raises(StoreAwayError):
            await story(gateway, "sparrow")


@given(provider=st.text(min_size=1), model=st.none() | st.text(min_size=1))
def test_a_breakers_key_names_whose_it_is(provider: str, model: str | None) -> None:
    """Whatever is in the names."""
    try:
        key = (
            keys.provider_breaker(provider)
            if model is None
            else keys.offer_breaker(provider, model)
        )
    except UnicodeEncodeError:  # half a character, which no database holds
        return
    assert keys.whose_breaker(key) == (provider, model)

"""How a provider stands: the engine's levels and breakers, summed for a person."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from redis.asyncio import Redis

from catalog import snapshot
from catalog.models import Offer
from catalog.targets import targets_for
from gateway.clock import SystemClock
from gateway.limiter.limiter import Limiter
from gateway.limiter.quota import Level, LimitLevel
from gateway.policy import StaticPolicy
from gateway.resilience.breaker import BreakerView
from gateway.resilience.breaker_rules import BreakerState
from gateway.store import Store
from gateway.types import Limit, Target, Unit, Window
from monitoring.health import State, health_of, provider_healths, tightest
from tests.factories import make_offer, make_provider

pytestmark = pytest.mark.django_db

PER_DAY = Limit(Unit.REQUESTS, Window.DAY, 100)
PER_MINUTE = Limit(Unit.REQUESTS, Window.MINUTE, 10)


@pytest.fixture(autouse=True)
def _fresh_snapshot() -> None:
    snapshot.forget()


def target(pool: str, key_id: str = "k1") -> Target:
    return Target(
        "sparrow", pool, "http://x", key_id=key_id, pool=pool, limits=(PER_DAY, PER_MINUTE)
    )


def level(day: int, minute: int) -> Level:
    return Level((LimitLevel(PER_DAY, day, 5.0, 0), LimitLevel(PER_MINUTE, minute, 9.0, 0)))


def test_pools_of_one_dimension_are_summed() -> None:
    """Two models with a hundred a day each are two hundred a day; the tightest share is shown."""
    levels = {target("a"): level(100, 2), target("b"): level(50, 10)}

    shown = tightest(levels, levels)
    assert shown is not None
    assert (shown.left, shown.amount, shown.span) == (12, 20, "a minute")


def test_a_shared_pool_counts_once() -> None:
    """Ten offers that draw on one pool have one pool."""
    shared = Target("sparrow", "m1", "http://x", key_id="k1", limits=(PER_DAY,))
    other = Target("sparrow", "m2", "http://x", key_id="k1", limits=(PER_DAY,))
    one = Level((LimitLevel(PER_DAY, 7, 5.0, 0),))

    shown = tightest([shared, other], {shared: one, other: one})
    assert shown is not None
    assert (shown.left, shown.amount, shown.kind) == (7, 100, "low")


def test_equally_full_windows_show_the_longest() -> None:
    """A fresh day says more than a fresh minute."""
    full = {target("a"): level(100, 10)}

    shown = tightest(full, full)
    assert shown is not None
    assert shown.span == "a day"


def test_a_seconds_window_speaks_last() -> None:
    """What is left of a second is over before it is read."""
    per_second = LimitLevel(Limit(Unit.REQUESTS, Window.SECOND, 2), 0, 0.5, 0.5)
    with_minute = Level((per_second, LimitLevel(PER_MINUTE, 9, 9.0, 0)))

    shown = tightest([target("a")], {target("a"): with_minute})
    assert shown is not None
    assert shown.span == "a minute"


def test_what_is_not_limited_is_not_known() -> None:
    """No limit published: nothing is made up."""
    make_offer(provider=make_provider(slug="free", name="Free"), limits={})
    (one,) = provider_healths()

    assert (one.quantity, one.state, one.answers_now) == (None, State.ANSWERS, True)


@pytest.mark.django_db(transaction=True)
def test_used_up_is_said_with_its_end(redis_url: str) -> None:
    """One request a day, taken: the provider waits, and the page knows how long."""
    make_offer(provider=make_provider(slug="tiny", name="Tiny"), limits={"rpd": 1})
    async_to_sync(_take)(redis_url)
    (one,) = provider_healths()

    assert one.state is State.WAITING
    assert one.quantity is not None
    assert (one.quantity.left, one.quantity.kind, one.surface_y) == (0, "out", None)
    assert one.wait_s > 3_600
    assert one.second_line.startswith("again in")


async def _take(redis_url: str) -> None:
    ids = [pk async for pk in Offer.objects.values_list("pk", flat=True)]
    (only,) = await targets_for(ids)
    async with Store(redis_url) as store:
        await Limiter(store, StaticPolicy(), SystemClock()).reserve(only, 10, 10)


async def test_nobody_usable_asks_nobody(redis_client: Redis) -> None:
    """Without a provider there is nothing to read."""
    assert await sync_to_async(provider_healths)() == []


def test_a_provider_is_as_well_as_its_best_offer() -> None:
    """One offer's open breaker shuts one offer; all of them, or the provider's own, shut it."""
    first, second = target("a"), target("b")
    levels = {first: level(100, 10), second: level(100, 10)}
    closed, is_open = (
        BreakerView(BreakerState.CLOSED),
        BreakerView(BreakerState.OPEN, 9.0, 1, "503"),
    )
    half = BreakerView(BreakerState.HALF_OPEN)
    cases = [
        ((closed, is_open, closed), State.ANSWERS),
        ((closed, is_open, half), State.PROBING),
        ((closed, is_open, is_open), State.REFUSING),
        ((is_open, closed, closed), State.REFUSING),
        ((half, closed, closed), State.PROBING),
        ((BreakerView(None), BreakerView(None), BreakerView(None)), State.UNKNOWN),
    ]
    for (own, one, other), expected in cases:
        views = {("sparrow", None): own, ("sparrow", "a"): one, ("sparrow", "b"): other}
        found = health_of("Sparrow", [first, second], levels, views, is_simulated=False)
        assert found.state is expected
        assert (found.reason == "503") is (expected is State.REFUSING)

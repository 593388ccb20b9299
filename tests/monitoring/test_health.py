"""How a provider stands: the engine's levels and breakers, summed for a person."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from redis.asyncio import Redis

from catalog.candidates import Candidate
from catalog.live import Live, worse
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


def target(pool: str, key_id: str = "k1") -> Target:
    return Target(
        "sparrow", pool, "http://x", key_id=key_id, pool=pool, limits=(PER_DAY, PER_MINUTE)
    )


CLOSED = BreakerView(BreakerState.CLOSED)
SPARROW = Candidate(1, "sparrow", "Sparrow", "wren-8b", "Wren 8B", "a")


def level(day: int, minute: int) -> Level:
    return Level((LimitLevel(PER_DAY, day, 5.0, 0), LimitLevel(PER_MINUTE, minute, 9.0, 0)))


def lives(*levels: Level) -> dict[Target, Live]:
    """One target for each level, each with a quota of its own."""
    return {target(f"m{n}"): Live(one, CLOSED) for n, one in enumerate(levels)}


def test_pools_of_one_dimension_are_summed() -> None:
    """Two models with a hundred a day each are two hundred a day; the tightest share is shown."""
    shown = tightest(lives(level(100, 2), level(50, 10)))
    assert shown is not None
    assert (shown.left, shown.amount, shown.span) == (12, 20, "a minute")


def test_a_shared_pool_counts_once() -> None:
    """Ten offers that draw on one pool have one pool."""
    shared = Target("sparrow", "m1", "http://x", key_id="k1", limits=(PER_DAY,))
    other = Target("sparrow", "m2", "http://x", key_id="k1", limits=(PER_DAY,))
    one = Live(Level((LimitLevel(PER_DAY, 7, 5.0, 0),)), CLOSED)

    shown = tightest({shared: one, other: one})
    assert shown is not None
    assert (shown.left, shown.amount, shown.kind) == (7, 100, "low")


def test_equally_full_windows_show_the_longest() -> None:
    """A fresh day says more than a fresh minute."""
    shown = tightest(lives(level(100, 10)))
    assert shown is not None
    assert shown.span == "a day"


def test_a_seconds_window_speaks_last() -> None:
    """What is left of a second is over before it is read."""
    per_second = LimitLevel(Limit(Unit.REQUESTS, Window.SECOND, 2), 0, 0.5, 0.5)
    with_minute = Level((per_second, LimitLevel(PER_MINUTE, 9, 9.0, 0)))

    shown = tightest(lives(with_minute))
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
    is_open = BreakerView(BreakerState.OPEN, 9.0, 1, "503")
    half, unknown = BreakerView(BreakerState.HALF_OPEN), BreakerView(None)
    cases = [
        ((CLOSED, is_open, CLOSED), State.ANSWERS),
        ((CLOSED, is_open, half), State.PROBING),
        ((CLOSED, is_open, is_open), State.REFUSING),
        ((is_open, CLOSED, CLOSED), State.REFUSING),
        ((half, CLOSED, CLOSED), State.PROBING),
        ((unknown, unknown, unknown), State.UNKNOWN),
    ]
    for (own, *offers), expected in cases:
        found = health_of(
            SPARROW,
            {target(str(n)): Live(level(9, 9), worse(own, one)) for n, one in enumerate(offers)},
        )
        assert found.state is expected
        assert (found.reason == "503") is (expected is State.REFUSING)


def test_a_key_that_is_refused_answers_nobody() -> None:
    """Unless another key of the provider does; what was said of it is told."""
    refused = Live(level(9, 9), CLOSED, "Answered 401.")
    only = health_of(SPARROW, {target("a"): refused})
    assert (only.state, only.reason, only.answers_now) == (
        *(State.KEY_REFUSED, "Answered 401.", False),
    )
    other = health_of(SPARROW, {target("a"): refused, target("a", "k2"): Live(level(9, 9), CLOSED)})
    assert other.state is State.ANSWERS


def test_a_provider_found_down_does_not_answer() -> None:
    """Its breakers are closed, for nobody calls it; the check of its key knows better."""
    down = health_of(replace(SPARROW, doubt="Provider down"), lives(level(9, 9)))
    assert (down.state, down.answers_now) == (State.REFUSING, False)
    assert "check of its key" in down.reason

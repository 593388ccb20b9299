"""What is known of limits, by whom, and which of them holds."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from catalog.known_limits import NO_PIN, Figure, KnownLimit, Pin, Source, known_limits
from catalog.models import Offer, QuotaScope
from catalog.targets import targets_for
from gateway.clock import SystemClock
from gateway.limiter.limiter import Limiter
from gateway.limiter.quota import Learned, Level, LimitLevel, LimitSource, Reading, Settlement
from gateway.policy import StaticPolicy
from gateway.store import Store
from gateway.types import LIMIT_NAMES, Limit
from tests.factories import make_model, make_offer, make_provider

READ_ON = dt.date(2026, 11, 22)
PINNED_ON = dt.date(2026, 11, 23)
PUBLISHED = Figure(30, Source.PUBLISHED, on=READ_ON)
HEADER = Figure(60, Source.HEADER, age_s=8.0)
LEARNED = Figure(15, Source.LEARNED, age_s=90.0)


def level(source: LimitSource, amount: int | None = None, *, said: bool = False) -> Level:
    one = LimitLevel(
        Limit(*LIMIT_NAMES["rpm"], 30),
        left=7,
        resets_in_s=3.0,
        wait_s=0.0,
        held_amount=amount,
        source=source,
        learned_s_ago=90.0 if source is LimitSource.MEASURED else 8.0,
        said=Learned(60, 8.0) if said else None,
    )
    return Level((one,))


@pytest.mark.parametrize(
    ("read", "pin", "in_force", "known"),
    [
        (None, NO_PIN, PUBLISHED, [PUBLISHED]),
        (Level(is_known=False), NO_PIN, PUBLISHED, [PUBLISHED]),
        (level(LimitSource.PUBLISHED), NO_PIN, PUBLISHED, [PUBLISHED]),
        (level(LimitSource.HEADERS, 60, said=True), NO_PIN, HEADER, [PUBLISHED, HEADER]),
        (
            level(LimitSource.MEASURED, 15, said=True),
            NO_PIN,
            LEARNED,
            [PUBLISHED, HEADER, LEARNED],
        ),
        (
            level(LimitSource.HEADERS, 60, said=True),
            Pin({"rpm": 5}, PINNED_ON, "mara"),
            Figure(5, Source.PINNED, on=PINNED_ON, by="mara"),
            [PUBLISHED, HEADER, Figure(5, Source.PINNED, on=PINNED_ON, by="mara")],
        ),
    ],
)
def test_every_source_is_told_and_one_is_in_force(
    read: Level | None, pin: Pin, in_force: Figure, known: list[Figure]
) -> None:
    """A pin beats what the engine holds; where nothing can have been learned, what is published."""
    (one,) = known_limits({"rpm": 30}, READ_ON, read, pin)
    assert one.in_force == in_force
    assert [figure for figure, _ in one.columns if figure] == known
    assert [figure for figure, is_held in one.columns if is_held] == [in_force]
    assert one.is_learned is (known != [PUBLISHED])


def test_a_limit_that_only_headers_name_is_told() -> None:
    """And the shortest window comes first; names of a newer mapping are left out."""
    found = known_limits(
        {"rpd": 50, "tpm": 8000, "per_decade": 3},
        READ_ON,
        level(LimitSource.HEADERS, 60, said=True),
    )
    assert [one.name for one in found] == ["rpm", "tpm", "rpd"]
    assert list(found[0].figures) == [Source.HEADER]


def test_what_is_pinned_in_the_tuning_is_in_force() -> None:
    """Nobody chose it in the catalog, but calls keep to it."""
    (one,) = known_limits({"rpm": 30}, READ_ON, level(LimitSource.PINNED, 12))
    assert one.in_force == Figure(12, Source.PINNED)
    assert Source.PUBLISHED in one.figures


def test_what_an_offer_of_a_pool_brings_is_published() -> None:
    """Although its provider publishes nothing for all of them."""
    (one,) = known_limits({}, READ_ON, level(LimitSource.PUBLISHED))
    assert one.in_force == PUBLISHED


def test_a_pinned_absence_of_a_limit() -> None:
    """An admin may say that there is no such limit; what is published stays beside it."""
    (one,) = known_limits({"rpm": 30}, READ_ON, None, Pin({"rpm": None}))
    assert one.in_force.words == "no limit"
    assert Source.PUBLISHED in one.figures


def words_of(one: KnownLimit) -> str:
    return f"{one.unit} {one.span}"


def test_dimensions_are_words() -> None:
    """Such as a person says them."""
    found = known_limits({"rph": 1, "neurons_day": 2}, None)
    assert [words_of(one) for one in found] == ["Requests an hour", "Neurons a day"]


async def learn(redis_url: str, offer: Offer, **amounts: int) -> None:
    """Let one answer's headers name these limits."""
    (target,) = await targets_for([offer.pk])
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(), SystemClock())
        taken = await limiter.reserve(target, 1, 1)
        said = {
            one: Reading(amount=amounts[one.name])
            for one in taken.quota.limits
            if one.name in amounts
        }
        await limiter.settle(taken, Settlement(readings=said, is_answered=True))
        await store.drain()


def seen(client: Client, address: str) -> str:
    """The panel of limits as a person reads it."""
    page = client.get(address).content.decode()
    panel = page.partition('id="limits"')[2].partition("</section>")[0]
    text = re.sub(r"<[^>]+>", " ", panel)
    return " ".join(text.replace("\u202f", " ").replace("\xa0", " ").split())


@pytest.mark.django_db(transaction=True)
def test_a_shared_pool_names_who_shares_it(viewer_client: Client, redis_url: str) -> None:
    """What one offer's answer taught holds for all of them."""
    provider = make_provider(
        quota_scope=QuotaScope.SHARED,
        pool_name="The account's “:free” pool",
        limits={"rpm": 20, "rpd": 50},
        facts_as_of=READ_ON,
    )
    offers = [make_offer(provider, make_model(name)) for name in ("Wren 8B", "Heron 70B")]
    async_to_sync(learn)(redis_url, offers[0], rpd=1000)

    words = seen(viewer_client, provider.get_absolute_url())

    assert "The account&#x27;s “:free” pool shared by 2 offers" in words
    assert "Heron 70B , Wren 8B" in words or "Wren 8B , Heron 70B" in words
    assert "Requests a minute 20 – – – 20 published 22 Nov" in words
    assert "Requests a day 50 1 000 – – 1 000 header" in words


@pytest.mark.django_db(transaction=True)
def test_each_models_own_quota_is_told_where_more_is_known(
    viewer_client: Client, redis_url: str
) -> None:
    """The common limits stand first; a model that taught nothing is not repeated."""
    provider = make_provider(quota_scope=QuotaScope.PER_MODEL, limits={"rpm": 20})
    taught = make_offer(provider, make_model("Wren 8B"))
    make_offer(provider, make_model("Heron 70B"))
    async_to_sync(learn)(redis_url, taught, rpm=7)

    words = seen(viewer_client, provider.get_absolute_url())

    assert words.index("Each model") < words.index("Wren 8B")
    assert "Heron 70B" not in words
    assert "Requests a minute 20 7 – – 7 header" in words


@pytest.mark.django_db(transaction=True)
def test_no_limit_known(viewer_client: Client) -> None:
    """Says so, and what happens instead."""
    provider = make_provider()
    make_offer(provider)
    assert "No limit is published" in seen(viewer_client, provider.get_absolute_url())

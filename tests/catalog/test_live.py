"""What the engine knows of an offer, on the catalog's pages."""

from __future__ import annotations

import re

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone
from redis import Redis

from catalog import snapshot, standing
from catalog.complexity import read_needs
from catalog.keys import DOWN_FOR
from catalog.live import read_candidates
from catalog.models import KeyVerdict, Model, Offer
from catalog.targets import targets_for
from catalog.tasks import recheck_down_keys
from gateway.clock import SystemClock
from gateway.errors import AuthRejected, ProviderUnavailable
from gateway.limiter.limiter import Limiter
from gateway.limiter.quota import Reading, Settlement
from gateway.policy import StaticPolicy
from gateway.resilience.breaker import Breakers
from gateway.resilience.key_rests import KeyRests
from gateway.store import Store
from tests.catalog.key_server import ANSWER, GOOD_KEY, KeyServer
from tests.factories import make_call, make_key, make_model, make_offer, make_provider
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

FAILURES_THAT_TRIP = 30


@pytest.fixture
def wren() -> Model:
    return make_model("Wren 8B Instruct")


def offer_of(wren: Model, name: str, **limits: int) -> Offer:
    return make_offer(make_provider(name=name, slug=name.lower()), wren, limits=limits)


async def take(redis_url: str, offer: Offer, calls: int = 1) -> None:
    (target,) = await targets_for([offer.pk])
    async with Store(redis_url) as store:
        for _ in range(calls):
            await Limiter(store, StaticPolicy(), SystemClock()).reserve(target, 10, 10)


async def name_limit(redis_url: str, offer: Offer, amount: int) -> None:
    """An answer whose headers say how many requests there are in a minute."""
    (target,) = await targets_for([offer.pk])
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(), SystemClock())
        reservation = await limiter.reserve(target, 10, 10)
        readings = {target.limits[0]: Reading(amount=amount)}
        await limiter.settle(reservation, Settlement(readings=readings, is_answered=True))


async def refuse_key(redis_url: str, offer: Offer) -> None:
    (target,) = await targets_for([offer.pk])
    async with Store(redis_url) as store:
        rests = KeyRests(store, StaticPolicy())
        rests.hear(target, AuthRejected("It answered 401."), is_test=False)
        await store.drain()


async def trip(redis_url: str, offer: Offer) -> None:
    (target,) = await targets_for([offer.pk])
    async with Store(redis_url) as store:
        breakers = Breakers(store, StaticPolicy(), SystemClock())
        for number in range(FAILURES_THAT_TRIP):
            failure = ProviderUnavailable("It answered 503.")
            await breakers.leave(target, f"call-{number}", failure)


def words_of(page: str) -> str:
    """The page as a person reads it, spaces as plain ones."""
    text = re.sub(r"<[^>]+>", " ", page)
    return " ".join(text.replace("\u202f", " ").replace("\xa0", " ").split())


def test_a_fresh_offer_answers_and_is_full(viewer_client: Client, wren: Model) -> None:
    """The longest window speaks, and where the limit is known from stands beside it."""
    offer_of(wren, "Fresh", rpm=10, rpd=250)
    page = viewer_client.get(wren.get_absolute_url()).content.decode()
    assert "Answers" in words_of(page)
    assert "250 a day" in words_of(page)
    assert 'aria-label="100\xa0% left"' in page
    assert "published" in words_of(page)


def test_a_limit_that_was_named_stands_before_the_published_one(
    viewer_client: Client, wren: Model, redis_url: str
) -> None:
    """What is published is struck through, and how the other is known stands there."""
    async_to_sync(name_limit)(redis_url, offer_of(wren, "Strict", rpm=30), 5)
    page = viewer_client.get(wren.get_absolute_url()).content.decode()
    assert re.search(r">5 <s[^>]*>30</s>", page)
    assert re.search(r"header\s+\d", words_of(page))


def test_offers_stand_in_the_order_of_trying(
    viewer_client: Client, wren: Model, redis_url: str
) -> None:
    """By what is left; used up after that, refused by a breaker last but for those without key."""
    half, full, empty, broken = (
        offer_of(wren, "Half", rpd=10),
        offer_of(wren, "Zfull", rpd=10),
        offer_of(wren, "Empty", rpd=2),
        offer_of(wren, "Broken", rpd=10),
    )
    make_offer(make_provider(name="Akeyless", auth="bearer"), wren)
    async_to_sync(take)(redis_url, half, 5)
    async_to_sync(take)(redis_url, empty, 2)
    async_to_sync(trip)(redis_url, broken)
    page = viewer_client.get(wren.get_absolute_url()).content.decode()
    places = [page.index(f">{one.provider.name}</a>") for one in (full, half, empty, broken)]
    assert places == sorted(places)
    assert places[-1] < page.index(">Akeyless</a>")
    words = words_of(page)
    for expected in ("Answers 10 a day", "Answers 5 a day", "Used up 0 a day", "Open", "No key"):
        assert expected in words
    assert "tried again in" in page
    assert "5 of 10 requests a day left, all of it again in" in page


def test_the_list_draws_a_shape_for_each_offer(
    viewer_client: Client, wren: Model, redis_url: str
) -> None:
    """Best first, with the same in words, and what is left of the best."""
    offer_of(wren, "Fresh", rpd=10)
    async_to_sync(trip)(redis_url, offer_of(wren, "Broken", rpd=10))
    async_to_sync(take)(redis_url, offer_of(wren, "Empty", rpd=1))
    make_offer(make_provider(name="Keyless", auth="bearer"), wren)
    page = viewer_client.get(f"/catalog/?open={wren.slug}").content.decode()
    row = page[page.index("data-row-link") : page.index('class="detail"')]
    assert re.findall(r"#g-(\w+)", row) == ["full", "half", "hollow", "unknown"]
    assert "4 offers: answers 1, used up 1, open 1, no key 1" in words_of(row)
    assert "10 a day" in words_of(row)
    opened = words_of(page[page.index('class="detail"') :])
    assert "Answers 10 rpd 10 a day published" in opened


def test_an_offer_with_two_keys_stands_as_the_better_one(
    viewer_client: Client, wren: Model, redis_url: str
) -> None:
    """One key used up is no reason to say that the offer is."""
    provider = make_provider(auth="bearer")
    offer = make_offer(provider, wren, limits={"rpd": 3})
    make_key(provider, "sk_first_made_up_0001")
    async_to_sync(take)(redis_url, offer, 3)
    assert "Used up" in words_of(viewer_client.get(wren.get_absolute_url()).content.decode())
    make_key(provider, "sk_second_made_up_0002")
    page = words_of(viewer_client.get(wren.get_absolute_url()).content.decode())
    assert "Used up" not in page
    assert "3 a day" in page


def make_keyed_offer(wren: Model, name: str, **key: object) -> Offer:
    provider = make_provider(name=name, slug=name.lower(), auth="bearer")
    make_key(provider, f"sk_made_up_for_{name}_0001", **key)
    return make_offer(provider, wren, limits={"rpd": 10})


def best_of(wren: Model) -> list[str]:
    """The providers in the order of the ranking for a plain prompt."""
    snapshot.forget()
    standing.forget()
    pool = snapshot.snapshot().pool
    ranking = async_to_sync(standing.recommend_now)(read_needs("Say hello."), pool)
    return [one.provider_name for one in ranking.candidates]


@pytest.mark.parametrize(
    ("verdict", "word", "is_ranked"),
    [
        (KeyVerdict.PROVIDER_DOWN, "Provider down", True),
        (KeyVerdict.NO_PERMISSION, "No permission", True),
        (KeyVerdict.WRONG_KEY, "Key refused", False),
    ],
)
def test_what_a_check_of_the_key_found_counts(
    viewer_client: Client, wren: Model, verdict: str, word: str, is_ranked: bool
) -> None:
    """Not callable now, on no page, and last where it is ranked at all."""
    bad = make_keyed_offer(wren, "Abad", verdict=verdict, checked_at=timezone.now())
    assert best_of(wren) == (["Abad"] if is_ranked else [])
    make_keyed_offer(wren, "Good")
    assert best_of(wren) == (["Good", "Abad"] if is_ranked else ["Good"])
    usable = viewer_client.get(f"/catalog/?now=usable&open={wren.slug}").content.decode()
    assert "Good" in usable
    assert ">Abad</a>" not in usable
    for url in (bad.provider.get_absolute_url(), wren.get_absolute_url(), "/catalog/providers/"):
        assert word in words_of(viewer_client.get(url).content.decode())
    make_call()  # the overview has something to say
    overview = words_of(viewer_client.get("/").content.decode())
    assert f"1 of {1 + is_ranked} provider" in overview


def test_a_provider_found_down_counts_again_once_it_answers(
    viewer_client: Client, wren: Model
) -> None:
    """Not after some time, but when its key is checked again, which happens by itself."""
    server = KeyServer()
    try:
        provider = make_provider(
            name="Late", auth="bearer", base_url=server.base_url, allows_private_address=True
        )
        make_offer(provider, wren, external_id="wren-8b")
        down = {"verdict": KeyVerdict.PROVIDER_DOWN, "checked_at": timezone.now() - DOWN_FOR}
        key = make_key(provider, GOOD_KEY, **down)
        usable = f"/catalog/?now=usable&open={wren.slug}"
        assert ">Late</a>" not in viewer_client.get(usable).content.decode()
        server.chat = (503, {"error": "overloaded"})
        recheck_down_keys()
        key.refresh_from_db()
        assert key.verdict == KeyVerdict.PROVIDER_DOWN
        server.chat = (200, ANSWER)
        recheck_down_keys()  # asked a moment ago
        key.refresh_from_db()
        assert key.verdict == KeyVerdict.PROVIDER_DOWN
        type(key).objects.update(checked_at=timezone.now() - DOWN_FOR)
        recheck_down_keys()
    finally:
        server.stop()
    snapshot.forget()
    assert ">Late</a>" in viewer_client.get(usable).content.decode()


def test_a_key_that_calls_find_refused_counts(
    viewer_client: Client, wren: Model, redis_url: str
) -> None:
    """The engine sets it aside; pages say so, and the ranking puts it last."""
    refused = make_keyed_offer(wren, "Abad")
    make_keyed_offer(wren, "Good")
    async_to_sync(refuse_key)(redis_url, refused)
    assert best_of(wren) == ["Good", "Abad"]
    page = words_of(viewer_client.get(wren.get_absolute_url()).content.decode())
    assert "Key refused" in page
    assert page.index("Answers") < page.index("Key refused")
    make_call()
    assert "1 of 2 providers answers now" in words_of(viewer_client.get("/").content.decode())


def test_without_limits_nothing_is_made_up(viewer_client: Client, wren: Model) -> None:
    """It answers, and what is left is not published."""
    offer_of(wren, "Silent")
    page = words_of(viewer_client.get(wren.get_absolute_url()).content.decode())
    assert "Answers not published" in page


def test_the_providers_page_shows_the_same(viewer_client: Client, wren: Model) -> None:
    """Its offers with what is left of each."""
    offer = offer_of(wren, "Fresh", rpd=250)
    page = words_of(viewer_client.get(offer.provider.get_absolute_url()).content.decode())
    assert "Answers 250 a day" in page


def test_pages_open_while_redis_is_away(
    viewer_client: Client, wren: Model, redis_server: RedisServer
) -> None:
    """The state and what is left are not known, and the page says so; nothing fails."""
    offer = offer_of(wren, "Fresh", rpd=10)
    redis_server.kill()
    pages = (wren.get_absolute_url(), offer.provider.get_absolute_url(), "/catalog/")
    try:
        for url in (*pages, f"/catalog/?open={wren.slug}"):
            response = viewer_client.get(url)
            assert response.status_code == 200
            assert "not known now" in words_of(response.content.decode()).lower()
    finally:
        redis_server.ensure_running()


def test_of_very_many_offers_those_that_nobody_calls_are_not_asked_about(
    viewer_client: Client, wren: Model, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The overview still sums them up: what nobody called is as full as the one that was asked."""
    monkeypatch.setattr("catalog.live._MANY", 10)
    provider = make_provider(quota_scope="per-model", limits={"rpd": 10})
    offers = [make_offer(provider, wren) for _ in range(30)]
    async_to_sync(take)(redis_url, offers[0], 4)
    make_call(provider=provider.slug, model=offers[0].external_id)
    (healths,) = async_to_sync(read_candidates)(snapshot.snapshot().candidates).values()
    left = sorted(live.left or 0.0 for live in healths.values())
    assert left == [0.6, *[1.0] * 29]
    with Redis.from_url(redis_url) as redis:
        before = redis.info("commandstats")["cmdstat_evalsha"]["calls"]
        async_to_sync(read_candidates)(snapshot.snapshot().candidates)
        asked = redis.info("commandstats")["cmdstat_evalsha"]["calls"] - before
    assert asked <= 6

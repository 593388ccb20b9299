"""The page of the cache: its figures, its entries, and what may be removed by whom."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.engine import engine
from catalog.tasks import warm_cache
from gateway.cache.counts import DAY, HOUR, MINUTE
from gateway.cache.entries import Amount
from gateway.cache.kinds import BENCHMARK, CREDENTIALS, MODEL_METADATA
from gateway.cache.shelf import Room, Stock
from gateway.policy import Policy
from monitoring.caching.picture import RANGES, CachePicture
from monitoring.caching.sampler import SPANS, CacheSample
from monitoring.models import TaskRecord
from tests.servers import RedisServer

PAGE = "/monitoring/cache/"
CLEAR = "/monitoring/cache/clear/"


def fill(count: int = 3, text: str = "A wrong answer", tag: str = "owner:mara") -> None:
    """Entries of two kinds, looked up twice: once in vain, once not."""

    async def keep() -> None:
        async with engine() as gateway:
            for number in range(count):
                key = (text, number)

                async def load(number: int = number) -> Any:
                    return {"text": text, "number": number}

                await gateway.cache.get(BENCHMARK, key, load, tags=[tag, "offer:acme/wren-8b"])
                await gateway.cache.get(BENCHMARK, key, load)
            gateway.cache.put(MODEL_METADATA, "m", "fact")
            gateway.cache.put(CREDENTIALS, "k", "sk_made_up_for_tests")
            await gateway.drain()

    async_to_sync(keep)()


def names(kind: str = "benchmark") -> list[str]:
    async def read() -> list[str]:
        async with engine() as gateway:
            return [one.name for one in (await gateway.cache.shelf.page(kind)).entries]

    return async_to_sync(read)()


def test_it_tells_what_was_asked_and_what_is_kept(viewer_client: Client) -> None:
    fill()
    page = viewer_client.get(PAGE + "?range=1h&kind=benchmark").text
    assert "6 asked, 3 ended in a cache" in page
    assert "Memory: 50" in page
    assert "No call asked the cache in the last 1" in page
    assert "sk_made_up" not in page
    assert "Empty all" not in page
    answers = viewer_client.get(PAGE + "figures.csv?range=1h&kind=benchmark").text.splitlines()
    assert answers[0] == "start,memory_percent,disk_percent,redis_percent,flight_percent"
    assert len(answers) == 61
    assert sum(line.count("50.0") for line in answers) == 1


def test_an_unknown_range_or_kind_is_said(viewer_client: Client) -> None:
    page = viewer_client.get(PAGE + "?range=2y&kind=pigeons")
    assert page.status_code == 200
    assert "“2y” is no range. Choose one of 1h, 24h, 7d, 90d." in page.text
    assert viewer_client.get(PAGE + "figures.csv?kind=pigeons").status_code == 400


@pytest.mark.parametrize("key", RANGES)
def test_every_range_adds_up_to_the_same(key: str) -> None:
    """Steps of any length are made of the spans that are counted."""
    now = int(time.time())
    steps = {}
    for span, (count, _) in SPANS.items():
        first_s = (now // span.seconds - count + 1) * span.seconds
        counts = [{"completion:memory:hits": 1, "completion:memory:misses": 1}] * count
        steps[span] = (first_s, counts)
    sample = CacheSample(
        steps,
        {"memory": {}, "disk": {}},
        Stock({"completion": Amount(3, 900)}),
        Room(1, 4, 2),
        Policy(),
    )
    chosen = RANGES[key]
    shown = CachePicture(sample, chosen, "completion")
    assert len(shown.times) == len(shown.columns["memory"]) == chosen.range.length
    assert shown.tally.lookups == 2 * chosen.range.length * chosen.together
    assert set(shown.columns["memory"]) == {50.0}
    assert shown.columns["redis"] == [0.0] * chosen.range.length
    began = datetime.fromisoformat(shown.times[-1]).replace(tzinfo=timezone.get_current_timezone())
    assert 0 <= now - began.timestamp() < chosen.range.step_s
    assert sum(rung.share for rung in shown.rungs) == pytest.approx(100)
    assert [tier.left_share for tier in shown.tiers] == [1.0, 1.0, 0.75]
    assert {MINUTE, HOUR, DAY} == set(steps)


def test_entries_are_listed_without_what_they_say(
    viewer_client: Client, admin_client: Client
) -> None:
    """Nor whose they are; admins see both."""
    fill()
    page = viewer_client.get("/monitoring/cache/benchmark/?q=wrong").text
    assert page.count("acme/wren-8b") >= 3
    assert "owner:mara" not in page
    assert "Remove" not in page
    seen = admin_client.get("/monitoring/cache/benchmark/").text
    assert "owner:mara" in seen
    (entry,) = [admin_client.get(f"/monitoring/cache/benchmark/{names()[0]}/").text]
    assert "A wrong answer" in entry
    assert viewer_client.get(f"/monitoring/cache/benchmark/{names()[0]}/").status_code == 403
    assert admin_client.get("/monitoring/cache/benchmark/nothing/").status_code == 404
    for kind in ("credentials", "counters", "pigeons"):
        assert admin_client.get(f"/monitoring/cache/{kind}/").status_code == 404


def test_an_admin_finds_an_entry_by_its_words(admin_client: Client) -> None:
    fill()
    fill(1, "something else")
    assert "1 entry" in admin_client.get("/monitoring/cache/benchmark/?q=SOMETHING+else").text
    assert (
        "No entry says “pigeons”" in admin_client.get("/monitoring/cache/benchmark/?q=pigeons").text
    )


def test_many_entries_are_listed_in_pieces(
    viewer_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fill(400)
    seen: set[str] = set()
    url = "/monitoring/cache/benchmark/"
    viewer_client.get(url)  # counts what the navigation shows
    for _ in range(50):
        with django_assert_num_queries(1):  # who asks
            answer = viewer_client.get(url)
        seen |= {row.kept.name for row in answer.context["rows"]}
        if not answer.context["next"]:
            break
        url = f"/monitoring/cache/benchmark/?cursor={answer.context['next']}"
    assert seen == set(names()) | seen
    assert len(seen) == 400


def test_one_entry_is_removed(admin_client: Client) -> None:
    fill()
    name = names()[0]
    form = {"what": "entry", "kind": "benchmark", "name": name}
    answer = admin_client.post(CLEAR, form, follow=True)
    assert "1 entry removed from Redis, 1 from this disk" in answer.text
    assert name not in names()
    assert len(names()) == 2


@pytest.mark.parametrize(
    ("form", "gone", "left"),
    [
        ({"what": "tag", "tag": "owner:mara"}, 3, 2),
        ({"what": "tag", "tag": "offer:acme/wren-8b"}, 5, 0),
        ({"what": "kind", "kind": "benchmark"}, 5, 0),
        ({"what": "all"}, 6, 0),
    ],
)
def test_what_went_is_counted(
    admin_client: Client, form: dict[str, str], gone: int, left: int
) -> None:
    fill()
    fill(2, "another's", "owner:ana")
    answer = admin_client.post(CLEAR, form, follow=True)
    assert f"{gone} entries removed from Redis, {gone} from this disk" in answer.text
    assert len(names()) == left


def test_a_wrong_tag_is_said_and_stays_in_the_form(admin_client: Client) -> None:
    fill()
    answer = admin_client.post(CLEAR, {"what": "tag", "tag": "groq"})
    assert answer.status_code == 422
    assert "A tag begins with provider:, offer: or owner:" in answer.text
    assert 'value="groq"' in answer.text
    assert admin_client.post(CLEAR, {"what": "kind"}).status_code == 422
    assert len(names()) == 3


def test_a_live_page_is_told_by_a_toast(admin_client: Client, operator_client: Client) -> None:
    fill()
    form = {"what": "kind", "kind": "benchmark"}
    assert operator_client.post(CLEAR, form).status_code == 403
    answer = admin_client.post(CLEAR, form, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert "3 entries removed" in answer["HX-Trigger"]


def test_without_redis_it_says_so(admin_client: Client, redis_server: RedisServer) -> None:
    """It renders, and what is removed is removed here."""
    fill()
    redis_server.kill()
    page = admin_client.get(PAGE)
    assert page.status_code == 200
    assert "Redis is away, and this process has no figures from before" in page.text
    assert "its entries cannot be listed" in admin_client.get("/monitoring/cache/benchmark/").text
    answer = admin_client.post(CLEAR, {"what": "all"}, follow=True)
    assert "Removed here. Redis is away" in answer.text


def test_an_operator_has_the_cache_warmed(
    viewer_client: Client, operator_client: Client, redis_server: RedisServer
) -> None:
    """By a worker; its progress is a task's."""
    assert viewer_client.post("/monitoring/cache/warm/").status_code == 403
    answer = operator_client.post("/monitoring/cache/warm/", follow=True)
    assert "A worker warms the cache" in answer.text
    assert TaskRecord.objects.get().name == "catalog.tasks.warm_cache"
    assert "waits" in answer.text
    warm_cache()
    redis_server.kill()
    answer = operator_client.post("/monitoring/cache/warm/", follow=True)
    assert "The task queue does not answer" in answer.text

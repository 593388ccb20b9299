"""The traffic page: figures of a range, charts, table and CSV; nonsense is said in place."""

from __future__ import annotations

import csv
import io
import json
import re
import time

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gateway.types import Outcome
from monitoring.history import picture_of
from monitoring.models import CallRecord, Course
from monitoring.querysets import TIMINGS_AT_MOST
from monitoring.ranges import DAY, HOUR, RANGES
from monitoring.records import record_of
from tests.factories import make_attempt, make_call, make_event, make_provider

pytestmark = pytest.mark.django_db


def make_calls() -> None:
    make_call(provider="sparrow", duration_s=1.0)
    make_call(provider="sparrow", duration_s=3.0, at=time.time() - 1_800)
    make_call(provider="wagtail", outcome=Outcome.TIMEOUT)
    make_call(provider="wagtail", cached="memory", duration_s=0.001)
    make_call(provider="wagtail", at=time.time() - 3 * 86_400)


def test_counts_and_times_a_range() -> None:
    """Counts by step, provider and course; percentiles without the cache's flattering times."""
    make_calls()
    picture = picture_of(HOUR, time.time())

    total = picture.series().total()
    assert total.courses == {Course.FIRST: 2, Course.FAILED: 1, Course.CACHE: 1}
    assert total.percentile("duration_s", 0.5) == 1.0
    assert total.percentile("duration_s", 0.95) == 3.0
    assert picture.series("wagtail").total().calls == 2
    assert picture_of(RANGES["7d"], time.time()).series().total().calls == 5


def test_a_range_is_read_in_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    """However many steps and providers there are."""
    make_calls()
    with django_assert_num_queries(2):
        picture_of(DAY, time.time())


def test_many_answers_are_timed_by_a_sample() -> None:
    """Every call is counted, at most TIMINGS_AT_MOST are timed."""
    now_s = time.time()
    rows = [record_of(make_event(at=now_s)) for _ in range(2_100)]
    CallRecord.objects.bulk_create(rows)

    timed = CallRecord.objects.timed(int(now_s) - 10, TIMINGS_AT_MOST * 10)
    assert 200 <= len(timed) <= 220
    assert picture_of(HOUR, now_s).series().total().calls == 2_100


def test_shows_tiles_charts_and_providers(viewer_client: Client) -> None:
    """A viewer sees the range's figures, and where each provider's calls are."""
    make_provider(slug="sparrow", name="Sparrow Cloud")
    make_calls()
    page = viewer_client.get("/monitoring/?range=1h").content.decode()

    assert "Sparrow Cloud" in page
    assert "/monitoring/calls/?provider=wagtail" in page
    assert page.count("data-chart data-figure") == 4
    figure = json.loads(re.search(r'id="figure-calls"[^>]*>(.*?)</script>', page)[1])  # type: ignore[index]  # it is there
    by_column = {trace["meta"]["column"]: sum(trace["y"]) for trace in figure["data"]}
    assert by_column == {"first": 2, "cache": 1, "fallback": 0, "failed": 1, "cancelled": 0}


def test_colours_are_the_sites_tokens(viewer_client: Client) -> None:
    """No raw colour in a figure: the browser fills in what the token means in its theme."""
    make_call()
    page = viewer_client.get("/monitoring/?range=24h").content.decode()
    figures = re.findall(r'id="figure-\w+" type="application/json">(.*?)</script>', page)

    assert len(figures) == 4
    for figure in figures:
        assert "var(--" in figure
        assert not re.search(r"#[0-9a-fA-F]{6}", figure)


def test_only_chart_pages_relax_styles(viewer_client: Client) -> None:
    """plotly.js writes styles of its own; scripts stay our own everywhere."""
    for path, is_relaxed in (("/monitoring/", True), ("/", True), ("/monitoring/calls/", False)):
        policy = viewer_client.get(path)["Content-Security-Policy"]
        assert ("'unsafe-inline'" in policy) is is_relaxed
        assert re.search(r"script-src 'self'(;|$)", policy)


def test_empty_says_so_and_leads_on(viewer_client: Client, operator_client: Client) -> None:
    """No call yet: no fake chart, and the one action that changes it for who may take it."""
    viewers, operators = (
        client.get("/monitoring/").content.decode() for client in (viewer_client, operator_client)
    )

    assert "No calls yet" in viewers
    assert "data-chart data-figure" not in viewers
    assert "Try a prompt</a>" not in viewers
    assert "Try a prompt</a>" in operators


def test_without_a_reader_the_live_range_says_so(viewer_client: Client) -> None:
    """No lifespan service in this process: the records are shown, and the page admits it."""
    make_call()
    page = viewer_client.get("/monitoring/").content.decode()

    assert "Live figures are not running in this process" in page
    assert "data-live=" not in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("range=1y", "“1y” is no range"),
        ("provider=nobody", "There is no provider “nobody”"),
        ("provider=%3Cscript%3E", "There is no provider “&lt;script&gt;”"),
    ],
)
def test_nonsense_is_answered_in_place(viewer_client: Client, query: str, said: str) -> None:
    """An unknown range or provider is named, and everything else is shown."""
    make_call()
    response = viewer_client.get(f"/monitoring/?{query}")

    assert response.status_code == 200
    assert said in response.content.decode()


def test_figures_as_csv(viewer_client: Client) -> None:
    """One line per step, one column per trace."""
    make_calls()
    response = viewer_client.get("/monitoring/figures/?range=1h&format=csv")
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))

    assert response["Content-Type"].startswith("text/csv")
    assert len(rows) == HOUR.length
    assert sum(int(row["first"]) for row in rows) == 2
    assert viewer_client.get("/monitoring/figures/?range=x&format=csv").status_code == 400


def test_parts_that_the_live_page_fetches(viewer_client: Client) -> None:
    """The provider rows and the figures' rows come without a page around them."""
    throttled = (make_attempt(outcome=Outcome.THROTTLED, status=429), make_attempt())
    make_call(attempts=throttled)
    for path in ("/monitoring/providers/?range=1h", "/monitoring/figures/?range=1h"):
        text = viewer_client.get(path).content.decode()
        assert "<tr>" in text
        assert "<html" not in text


def test_reads_the_page_in_few_queries(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """As many for thirty providers as for one."""
    for number in range(30):
        make_call(provider=f"bird-{number}")
    viewer_client.get("/monitoring/?range=24h")
    with django_assert_max_num_queries(20):
        viewer_client.get("/monitoring/?range=24h")


def test_watching_ticks_the_last_of_the_first_steps(viewer_client: Client) -> None:
    """Whoever has seen the page need not be told of it."""
    viewer_client.get("/monitoring/")

    assert viewer_client.cookies["has-watched"].value == "yes"


@pytest.mark.parametrize("path", ["/monitoring/", "/monitoring/figures/", "/monitoring/live/"])
def test_only_reading(viewer_client: Client, path: str) -> None:
    """Nothing here is written by a request."""
    assert viewer_client.post(path).status_code == 405


def test_the_number_of_calls_stands_beside_the_rate(viewer_client: Client) -> None:
    """Bars are per second, legends and the first tile are totals, and each says so."""
    make_call()
    page = viewer_client.get("/monitoring/?range=5m").text

    assert '<span data-tile-figure="rate">1</span><small data-tile-unit="rate">in 5 min' in page
    assert "per second, 5 min, steps of 5 s; legend: totals" in page
    assert "in 1 call</dd>" in page

"""The traffic page: figures of a range, charts, table and CSV; nonsense is said in place."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from gateway.types import Outcome
from monitoring.history import picture_of
from monitoring.keeping import keep
from monitoring.models import Course
from monitoring.querysets import ROWS_AT_MOST
from monitoring.ranges import DAY, HOUR, RANGES
from monitoring.records import record_of
from monitoring.sketch import ERROR
from monitoring.subjects import Kind, Subject
from tests.factories import (
    make_attempt,
    make_call,
    make_event,
    make_key,
    make_model,
    make_offer,
    make_provider,
)

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
    assert total.percentile("duration_s", 0.5) == pytest.approx(1.0, rel=ERROR * 1.01)
    assert total.percentile("duration_s", 0.95) == pytest.approx(3.0, rel=ERROR * 1.01)
    assert picture.series(Subject(Kind.PROVIDER, "wagtail")).total().calls == 2


@pytest.mark.parametrize("key", ["7d", "30d", "90d"])
def test_counts_a_longer_range(key: str) -> None:
    """From wider steps that were added up as the calls came."""
    make_calls()
    assert picture_of(RANGES[key], time.time()).series().total().calls == 5


@pytest.mark.parametrize("by", [kind for kind in Kind if kind is not Kind.ALL])
def test_a_range_is_read_in_three_queries(
    by: Kind, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """However many steps and providers there are: the whole, who is busy, and their steps."""
    make_calls()
    with django_assert_num_queries(3):
        picture_of(DAY, time.time(), by=by)


def test_a_table_holds_the_busiest() -> None:
    """Of a thousand models a page shows the fifty with the most calls, and every call counts."""
    events = [make_event(model=f"m{n}") for n in range(60)]
    keep([record_of(event) for event in [*events, make_event(model="m59")]])
    picture = picture_of(DAY, time.time(), by=Kind.MODEL)

    assert picture.series().total().calls == 61
    assert len(picture.rows) == 1 + ROWS_AT_MOST
    assert picture.series(Subject(Kind.MODEL, "sparrow", "m59")).total().calls == 2


def test_shows_tiles_charts_and_providers(viewer_client: Client) -> None:
    """A viewer sees the range's figures, and where each provider's calls are."""
    make_provider(slug="sparrow", name="Sparrow Cloud")
    make_calls()
    page = viewer_client.get("/monitoring/?range=1h").content.decode()

    assert "Sparrow Cloud" in page
    assert "/monitoring/calls/?provider=wagtail" in page
    assert page.count("data-chart data-figure") == 6
    figure = json.loads(re.search(r'id="figure-calls"[^>]*>(.*?)</script>', page)[1])  # type: ignore[index]  # it is there
    by_column = {trace["meta"]["column"]: sum(trace["y"]) for trace in figure["data"]}
    assert by_column == {"first": 2, "cache": 1, "fallback": 0, "failed": 1, "cancelled": 0}


def test_colours_are_the_sites_tokens(viewer_client: Client) -> None:
    """No raw colour in a figure: the browser fills in what the token means in its theme."""
    make_call()
    page = viewer_client.get("/monitoring/?range=24h").content.decode()
    figures = re.findall(r'id="figure-[\w-]+" type="application/json">(.*?)</script>', page)

    assert len(figures) == 6
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
        ("by=mood", "not by “mood”"),
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
    for path in ("/monitoring/rows/?range=1h", "/monitoring/figures/?range=1h"):
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
    """Bars count steps (live: seconds), legends and the first tile are totals, and each says so."""
    make_call()
    page = viewer_client.get("/monitoring/?range=5m").text

    assert '<span data-tile-figure="rate">1</span><small data-tile-unit="rate">in 5 min' in page
    assert "per step, 5 min, steps of 1 min; legend: totals" in page
    assert "in 1 call</dd>" in page


def test_leads_from_a_step_to_its_calls(viewer_client: Client) -> None:
    """Each row of the figures names the span of its calls, and the table of calls shows them."""
    call = make_call(provider="sparrow", at=time.time() - 1_000)
    make_call(provider="sparrow", at=time.time() - 2_000)
    figures = viewer_client.get("/monitoring/figures/?range=1h&provider=sparrow").text
    address = html.unescape(re.findall(r'href="([^"]*)" title="See these calls"', figures)[0])
    page = viewer_client.get(address).text

    assert "1 call<" in page
    assert f"/monitoring/calls/{call.call_id}/" in page


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("provider", "Sparrow Cloud"),
        ("model", "Wren 8B"),
        ("key", "team key"),
        ("owner", "mara"),
    ],
)
def test_tells_calls_apart(viewer_client: Client, by: str, told: str) -> None:
    """By the names that people know, each leading to its own charts."""
    provider = make_provider(slug="sparrow", name="Sparrow Cloud")
    make_offer(provider, make_model("Wren 8B"), external_id="wren-8b")
    key = make_key(provider)
    make_call(provider="sparrow", model="wren-8b", key_id=f"k{key.pk}", owner="mara")
    page = viewer_client.get(f"/monitoring/?range=24h&by={by}").text
    row = re.search(rf'<a class="name" href="([^"]*)">{told}</a>', page)

    assert row, page
    one = viewer_client.get(html.unescape(row[1])).text
    assert f"<h1>Traffic: {told}" in re.sub(r"<h1[^>]*>", "<h1>", one)
    assert '<span data-tile-figure="rate">1</span>' in one

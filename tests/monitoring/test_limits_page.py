"""Live limits: the list of quotas, the page of one, and what both say while Redis is away."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import replace

import plotly.graph_objects as go
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import QueryDict
from django.test import AsyncClient, Client
from pytest_django import DjangoAssertNumQueries

from catalog.engine import engine
from catalog.models import Provider
from catalog.targets import targets_for
from gateway.errors import RateLimited
from gateway.limiter.quota import LimitSource
from gateway.limiter.survey import PoolName, PoolView, Survey, WindowView
from gateway.types import Limit, Outcome, Unit, Window
from monitoring.limits.detail import PoolDetail
from monitoring.limits.figures import blank
from monitoring.limits.forecast import forecast_figure, used_by_step
from monitoring.limits.history import SPAN_S, PoolHistory
from monitoring.limits.pools import PoolFacts, watched
from monitoring.limits.refusals import Refusals
from monitoring.limits.rows import PoolRow, State
from monitoring.limits.sampler import LIMITS
from monitoring.sampling import Sample, channel, sampling
from tests.factories import (
    make_attempt,
    make_call,
    make_event,
    make_key,
    make_model,
    make_offer,
    make_provider,
)
from tests.monitoring.streams import eventually
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db
URL = "/monitoring/limits/"
NOW_S = 1_800_000_000.0
NAME = PoolName("sparrow", "none", "wren-8b")


def make_limited(count: int = 1, **limits: int) -> list[Provider]:
    """Keyless providers of one offer each, with these limits."""
    made = []
    for number in range(count):
        provider = make_provider(
            slug=f"sparrow-{number}",
            name=f"Sparrow {number}",
            quota_scope="per-model",
            limits=limits or {"rpm": 30},
        )
        make_offer(provider, external_id="wren-8b")
        made.append(provider)
    return made


def spend(provider: Provider, calls: int) -> None:
    """Take so many calls from the quota of the provider's offer."""

    async def take(offer_id: int) -> None:
        (target,) = await targets_for([offer_id])
        async with engine() as gateway:
            for _ in range(calls):
                try:
                    await gateway._admissions.limiter.reserve(target, 1, 1)
                except RateLimited:
                    return

    async_to_sync(take)(provider.offers.get().pk)


def test_each_quota_stands_there_with_what_is_left(viewer_client: Client) -> None:
    """What was used most stands first; the answer is the sentence above."""
    _, busy = make_limited(2)
    spend(busy, 12)
    page = viewer_client.get(URL).text
    assert "2 quotas of 2 let calls through now" in page
    assert "18 of 30 req a minute" in page
    table = page.partition("<tbody")[2]
    assert table.index("Sparrow 1<") < table.index("Sparrow 0<")
    assert "Live figures are not running in this process" in page


def test_a_shared_quota_is_one_row(viewer_client: Client) -> None:
    """With the number of those that draw on it; with two keys it is two, each named."""
    provider = make_provider(
        name="Osprey",
        auth="bearer",
        quota_scope="shared",
        limits={"rpd": 50},
        base_url="http://x/v1",
    )
    for model in ("Wren 8B", "Heron 70B"):
        make_offer(provider, make_model(model))
    make_key(provider, "sk_made_up_one_9zQx1", label="first")
    make_key(provider, "sk_made_up_two_9zQx2", label="second")
    page = viewer_client.get(URL).text
    assert page.count("All models together") == 2
    assert "2 models share it" in page
    assert "key first" in page
    assert "key second" in page


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("q=sparrow+1", "Sparrow 1<", "Sparrow 0<"),
        ("provider=sparrow-0", "Sparrow 0<", "Sparrow 1</span"),
        ("state=full", "Sparrow 0<", "Sparrow 1</span"),
        ("q=nothing", "No quota stands like that now", "Sparrow 0</span"),
    ],
)
def test_the_list_can_be_filtered(
    query: str, shown: str, hidden: str, viewer_client: Client
) -> None:
    """By words, provider and state; what finds nothing says how to see all again."""
    _, busy = make_limited(2)
    spend(busy, 12)
    table = viewer_client.get(f"{URL}?{query}").text.partition("<tbody")[2]
    assert shown in table
    assert hidden not in table


@pytest.mark.parametrize(
    ("query", "said"),
    [("state=purple", "is not a state of this list"), ("page=x", "is not a page")],
)
def test_bad_input_is_said(query: str, said: str, viewer_client: Client) -> None:
    """And the list is shown all the same."""
    make_limited()
    response = viewer_client.get(f"{URL}?{query}")
    assert said in response.text
    assert "Sparrow 0" in response.text


def test_a_long_list_has_pages(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Ninety quotas cost no query more than one."""
    make_limited(90)
    with django_assert_max_num_queries(16):
        first = viewer_client.get(URL)
    assert "1 to 40 of 90" in first.text
    assert "81 to 90 of 90" in viewer_client.get(f"{URL}?page=3").text
    assert viewer_client.get(f"{URL}?page=9").status_code == 404


def test_an_empty_house_says_what_to_do(admin_client: Client) -> None:
    """No provider can be called, so there is no quota to show."""
    assert "Nobody to call yet" in admin_client.get(URL).text


def test_one_quota_has_its_limits_charts_and_file(viewer_client: Client) -> None:
    """Where each limit comes from, its rate, and the charts' figures for who cannot see them."""
    (provider,) = make_limited(1, rpm=30, tpd=100_000)
    spend(provider, 3)
    url = f"{URL}quota/?provider=sparrow-0&key=none&pool=wren-8b"
    page = viewer_client.get(url).text
    assert "Wren 8B Instruct on Sparrow 0" in page
    assert "27 <small>of 30</small>" in page
    assert "published" in page
    assert "1 req in" in page
    for figure_id in ("figure-rpm", "figure-tpd", "figure-waiting"):
        assert f'id="{figure_id}"' in page

    response = viewer_client.get(f"{url}&form=csv")
    assert response["Content-Type"].startswith("text/csv")
    header, *lines = csv.reader(io.StringIO(response.text))
    assert header == ["time", "left_rpm", "left_tpd", "waiting"]
    assert lines[-1][1:] == ["27", "99994", "0"]


@pytest.mark.parametrize("query", ["", "key=none&pool=nothing", "key=k9&pool=wren-8b"])
def test_an_unknown_quota_is_a_404(query: str, viewer_client: Client) -> None:
    """Its key or its model may have gone."""
    make_limited()
    assert viewer_client.get(f"{URL}quota/?provider=sparrow-0&{query}").status_code == 404


def test_without_redis_the_pages_say_so(viewer_client: Client, redis_server: RedisServer) -> None:
    """Nothing was ever read in this process: there is nothing to show, and that is said."""
    make_limited()
    redis_server.kill()
    for url in (URL, f"{URL}quota/?provider=sparrow-0&key=none&pool=wren-8b"):
        response = viewer_client.get(url)
        assert response.status_code == 200
        assert "No figures can be read." in response.text


@pytest.mark.django_db(transaction=True)
async def test_with_redis_gone_the_last_figures_stay(
    operator_async_client: AsyncClient, redis_server: RedisServer
) -> None:
    """Of when they are is said; all recovers by itself."""
    await sync_to_async(make_limited)()

    async def page() -> str:
        return str((await operator_async_client.get(URL)).content.decode())

    async with sampling([LIMITS]):
        kept = channel("limits")
        assert kept is not None
        with kept.viewed():
            await eventually(lambda: _is_away(expected=False))
            assert "Sparrow 0" in await page()
            redis_server.kill()
            await eventually(lambda: _is_away(expected=True))
            old = await page()
            assert "These figures are of" in old
            assert "Sparrow 0" in old
            redis_server.ensure_running()
            await eventually(lambda: _is_away(expected=False))
            assert "These figures are of" not in await page()


async def _is_away(*, expected: bool) -> bool:
    kept = channel("limits")
    assert kept is not None
    return bool(kept.samples) and (kept.away_since_s is not None) is expected


def test_the_stream_tells_the_same_as_the_page(viewer_client: Client) -> None:
    """The list by its query, one quota by its name; what is no quota any more tells nothing."""
    (provider,) = make_limited()
    spend(provider, 2)

    async def seen() -> Sample:
        async with engine() as gateway:
            return Sample(time.time(), await LIMITS.sample(gateway))

    samples = [async_to_sync(seen)()]
    listed = LIMITS.state(samples, QueryDict("q=sparrow"))
    assert "28 of 30 req a minute" in listed["parts"]["rows"]
    one = LIMITS.state(samples, QueryDict("provider=sparrow-0&key=none&pool=wren-8b"))
    assert one["texts"]["left-rpm"] == "28"
    assert json.loads(json.dumps(one)) == one
    assert LIMITS.state(samples, QueryDict("provider=sparrow-0&key=none&pool=gone")) == {}
    assert LIMITS.state([], QueryDict()) == {}


def test_quotas_are_named_anew_when_the_catalog_changes(db: None) -> None:
    """And kept for as long as it does not."""
    make_limited()
    first = watched()
    assert watched() is first
    assert [facts.title for facts in first.pools.values()] == ["Wren 8B Instruct"]


# --- what the figures show ---------------------------------------------------------------------


def window(left: int, held: int = 30, **fields: object) -> WindowView:
    values: dict[str, object] = {
        "limit": Limit(Unit.REQUESTS, Window.MINUTE, 30),
        "held": held,
        "source": LimitSource.PUBLISHED,
        "learned_at": 0.0,
        "said": None,
        "said_at": 0.0,
        "used": held - left,
        "fits_in_s": 0.0,
        "free_at": NOW_S + 60,
        "lately": 0,
        "lately_since": 0.0,
    }
    return WindowView(**{**values, **fields})  # type: ignore[arg-type]  # the fields' own


def pool(*windows: WindowView, **fields: object) -> PoolView:
    values: dict[str, object] = {
        "windows": windows,
        "rests_until": 0.0,
        "warm_since": 0.0,
        "warmup_s": 20.0,
        "warmup_share": 0.5,
        "processes_waiting": 0,
        "first_waits_since": 0.0,
    }
    return PoolView(**{**values, **fields})  # type: ignore[arg-type]  # likewise


FACTS = PoolFacts(NAME, "Sparrow", "Wren 8B", {"wren-8b": "Wren 8B"}, {"rpm": 30})


def surveys(*views: PoolView) -> list[Survey]:
    """One look a second, the last at NOW_S."""
    first_s = NOW_S - len(views) + 1
    return [Survey(first_s + number, {NAME: view}) for number, view in enumerate(views)]


def test_a_figure_marks_phases_refusals_and_corrections() -> None:
    """Plotly takes it as it is; a header that lowers the limit is a diamond with its words."""
    refusals = Refusals()
    refused = make_attempt(outcome=Outcome.THROTTLED, status=429, duration_s=0.5)
    refusals.add(make_event(at=NOW_S - 9, attempts=(refused, make_attempt())))
    said = window(10, 20, source=LimitSource.HEADERS, learned_at=NOW_S - 1, said=20)
    history = surveys(
        pool(window(30)),
        pool(window(12), warm_since=NOW_S - 5, rests_until=NOW_S + 9),
        pool(said, rests_until=NOW_S + 9, warm_since=NOW_S - 5),
    )
    detail = PoolDetail.of(FACTS, history, refusals.since(NOW_S - SPAN_S))
    (panel,) = detail.panels
    figure = go.Figure(panel.figure)
    left, held, warming, refused_at, corrected = figure.data
    assert list(left.y) == [30, 12, 10]
    assert list(held.y) == [30, 30, 20]
    assert len(warming.x) == 5
    assert len(refused_at.x) == 1
    assert corrected.text[0] == "a header named 20, was 30"
    assert len(figure.layout.shapes) == 1
    assert go.Figure(detail.waiting).data


def test_a_day_looks_back_and_ahead() -> None:
    """By the calls on record; dashed to where it runs out, and red from there to its end."""
    midnight_s = NOW_S - 6 * 3_600
    day = window(
        200,
        1_000,
        limit=Limit(Unit.REQUESTS, Window.DAY, 1_000, "UTC"),
        lately=800,
        lately_since=midnight_s,
        free_at=midnight_s + 86_400,
    )
    make_call(provider="sparrow", key_id="none", at=NOW_S - 3_600)
    make_call(provider="sparrow", key_id="none", at=NOW_S - 3_700)
    make_call(provider="sparrow", key_id="other", at=NOW_S - 3_600)
    used = used_by_step(NAME, ["wren-8b"], day, NOW_S)
    assert sum(used.values()) == 2
    figure = go.Figure(blank(forecast_figure(day, used, NOW_S)))
    left, ahead = figure.data
    assert (left.y[0], left.y[-2], left.y[-1]) == (1_000, 998, 200)
    assert list(ahead.y) == [200, 0]
    assert len(figure.layout.shapes) == 1

    calm = replace(day, lately=10)
    assert not go.Figure(blank(forecast_figure(calm, {}, NOW_S))).layout.shapes


def test_growth_is_no_correction() -> None:
    """A limit that was lowered grows back with every look; that is no mark each."""
    measured = {"source": LimitSource.MEASURED, "learned_at": NOW_S - 60}
    history = PoolHistory.of(
        NAME, surveys(pool(window(5, 20, **measured)), pool(window(5, 21, **measured)))
    )
    assert history.corrections("rpm") == []


@pytest.mark.parametrize(
    ("view", "state"),
    [
        (pool(window(30)), State.FULL),
        (pool(window(20)), State.USED),
        (pool(window(20), warm_since=NOW_S - 1), State.WARMING),
        (pool(window(3)), State.LOW),
        (pool(window(3), waiting_here=2, processes_waiting=1), State.WAITING),
        (pool(window(0)), State.EMPTY),
        (pool(window(30), rests_until=NOW_S + 3), State.RESTING),
    ],
)
def test_a_state_for_each_quota(view: PoolView, state: State) -> None:
    """The gravest thing that is true of it."""
    row = PoolRow(FACTS, view, NOW_S)
    assert row.state is state
    assert row.state.word


def test_who_waits_and_for_how_long() -> None:
    """Of another process it is only known that somebody waits there."""
    view = pool(window(3), waiting_here=2, processes_waiting=2, first_waits_since=NOW_S - 4)
    assert PoolRow(FACTS, view, NOW_S).wait_note == "3 calls, the first for 4\xa0s"

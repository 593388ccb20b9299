"""Breakers: bands with their causes, the story that loses nothing, and forcing one by hand."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import plotly.graph_objects as go
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.http import QueryDict
from django.test import AsyncClient, Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from catalog.engine import engine
from catalog.models import Provider
from gateway.resilience.breaker import BreakerView
from gateway.resilience.breaker_rules import BreakerState
from gateway.resilience.watching import BreakerChange, BreakerWatch, ChangeKind
from monitoring.breakers.bands import bands, stretches
from monitoring.breakers.figures import blank, rates_figure
from monitoring.breakers.keeping import KEPT_FOR
from monitoring.breakers.sampler import BreakersSampler
from monitoring.models import BreakerEvent
from monitoring.sampling import Sample, channel, sampling
from monitoring.tasks import prune_breaker_events
from tests.factories import make_offer, make_provider
from tests.monitoring.streams import eventually
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db
URL = "/monitoring/breakers/"
ONE = f"{URL}breaker/?provider=sparrow&model="
NOW_S = 1_800_000_000.0


def make_house(count: int = 1) -> Provider:
    """The provider "sparrow" with so many offers."""
    provider = make_provider(slug="sparrow", name="Sparrow")
    for number in range(count):
        make_offer(provider, external_id=f"wren-{number}")
    return provider


def force(model: str | None = None, *, is_open: bool = True, reason: str = "it lies") -> None:
    async def go() -> None:
        async with engine() as gateway:
            await gateway.force_breaker(
                "sparrow", model, is_open=is_open, for_s=600, reason=reason, by="ola"
            )

    async_to_sync(go)()


def state_now(model: str | None = None) -> BreakerView:
    async def go() -> BreakerView:
        async with engine() as gateway:
            return (await gateway.breaker_states([("sparrow", model)]))["sparrow", model]

    return async_to_sync(go)()


def look(sampler: BreakersSampler) -> Sample:
    async def go() -> Sample:
        async with engine() as gateway:
            return Sample(time.time(), await sampler.sample(gateway))

    return async_to_sync(go)()


def test_each_breaker_stands_there_with_its_band(viewer_client: Client) -> None:
    """Providers first; what is down stands on top with what comes next."""
    make_house()
    make_offer(make_provider(slug="heron", name="Heron"))
    force()
    page = viewer_client.get(URL).text
    rows = page.partition('class="bands')[2]
    assert rows.index("Sparrow") < rows.index("Heron")
    assert "by hand for" in rows
    assert "Open by hand: by hand: it lies" in rows
    assert "ola held Sparrow open" in page


def test_offers_can_be_listed_and_found(viewer_client: Client) -> None:
    """One page at a time, by words of provider and model."""
    make_house(90)
    page = viewer_client.get(f"{URL}?what=offers").text
    assert "1 to 40 of 90" in page
    assert viewer_client.get(f"{URL}?what=offers&page=9").status_code == 404
    assert "1 to 1 of 1" in viewer_client.get(f"{URL}?what=offers&q=wren-77").text
    assert "No breaker has such a name" in viewer_client.get(f"{URL}?q=nobody").text


def test_the_list_is_cheap(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Ninety offers cost no query more than one."""
    make_house(90)
    with django_assert_max_num_queries(20):
        viewer_client.get(f"{URL}?what=offers")


@pytest.mark.parametrize("query", ["range=2y", "what=purple", "page=x"])
def test_bad_input_is_said(query: str, viewer_client: Client) -> None:
    """And the list is shown all the same."""
    make_house()
    page = viewer_client.get(f"{URL}?{query}").text
    assert 'role="alert"' in page
    assert "Sparrow" in page


def test_an_empty_house_says_what_to_do(admin_client: Client) -> None:
    """No provider can be called, so there is no breaker."""
    assert "Nobody to call yet" in admin_client.get(URL).text


def test_one_breaker_tells_its_rates_and_its_story(viewer_client: Client) -> None:
    """Who may not change it is not asked to."""
    make_house()
    force("wren-0", reason="too slow")
    page = viewer_client.get(f"{URL}breaker/?provider=sparrow&model=wren-0").text
    assert "Wren 8B Instruct on Sparrow" in page
    assert "too slow" in page
    assert 'id="figure-rates"' in page
    assert 'id="act"' not in page
    assert viewer_client.get(f"{URL}breaker/?provider=sparrow&model=gone").status_code == 404


def test_an_admin_trips_and_resets_it(admin_client: Client) -> None:
    """For a reason and a time, with the name; a reset takes it back."""
    make_house()
    asked = {"provider": "sparrow", "model": "", "action": "open", "for_s": "300"}
    response = admin_client.post(f"{URL}force/", {**asked, "reason": "upstream lies"})
    assert response.status_code == 302
    forced = state_now()
    assert (forced.state, forced.reason) == (BreakerState.OPEN, "by hand: upstream lies")
    assert 290 < forced.forced_for_s <= 300

    admin_client.post(f"{URL}force/", {**asked, "action": "reset", "reason": "it is back"})
    assert state_now().state is BreakerState.CLOSED
    page = admin_client.get(response["Location"]).text
    assert "upstream lies" in page
    assert "reset Sparrow" in page


def test_nothing_typed_is_lost_when_the_reason_is_missing(admin_client: Client) -> None:
    """The field says what is wrong; the breaker stays as it is."""
    make_house()
    asked = {"provider": "sparrow", "model": "", "action": "closed", "for_s": "300", "reason": " "}
    response = admin_client.post(f"{URL}force/", asked)
    assert response.status_code == 422
    assert "Say why" in response.text
    assert '<option value="closed" selected' in response.text
    assert not state_now().is_forced


def test_without_redis_forcing_says_so(admin_client: Client, redis_server: RedisServer) -> None:
    """Nobody else would know of it; the page has nothing to show and says that, too."""
    make_house()
    redis_server.kill()
    asked = {"provider": "sparrow", "model": "", "action": "open", "for_s": "300", "reason": "x"}
    response = admin_client.post(f"{URL}force/", asked)
    assert response.status_code == 503
    assert "No figures can be read." in response.text
    assert "No figures can be read." in admin_client.get(URL).text


def test_the_changes_and_the_rates_are_files(viewer_client: Client) -> None:
    """Every change of the last week; of one breaker its looks."""
    make_house()
    force()
    header, *rows = csv.reader(io.StringIO(viewer_client.get(f"{URL}?form=csv").text))
    assert header == ["at", "provider", "model", "change", "until", "reason", "by"]
    assert [(row[1], row[3], row[6]) for row in rows] == [("sparrow", "forced_open", "ola")]
    header, *rows = csv.reader(io.StringIO(viewer_client.get(f"{ONE}&form=csv").text))
    assert header == ["time", "state", "calls", "failed", "slow"]
    assert rows[-1][1] == "open"


def test_the_story_is_kept_once_whoever_reads_it(db: None) -> None:
    """Two processes read the same; a third that starts later goes on where they were."""
    make_house()
    force()
    one, other = BreakersSampler(), BreakersSampler()
    look(one)
    look(other)
    force("wren-0", is_open=False)
    look(one)
    look(other)
    assert BreakerEvent.objects.count() == 2
    seen = look(BreakersSampler()).value
    assert [line.change.kind for line in seen.story()] == [
        ChangeKind.FORCED_CLOSED,
        ChangeKind.FORCED_OPEN,
    ]
    assert BreakerEvent.objects.count() == 2


def test_old_changes_are_forgotten(db: None) -> None:
    """A page shows a week; three months are kept."""
    make_house()
    force()
    look(BreakersSampler())
    assert prune_breaker_events() == 0
    row = BreakerEvent.objects.get()
    row.at -= KEPT_FOR
    row.save()
    assert prune_breaker_events() == 1


def test_the_stream_tells_the_same_as_the_page(db: None) -> None:
    """The list by its query, one breaker by its name."""
    make_house()
    force()
    sampler = BreakersSampler()
    samples = [look(sampler)]
    told = sampler.state(samples, QueryDict("range=1h"))
    assert "by hand for" in told["parts"]["rows"]
    assert {tile["key"] for tile in told["tiles"]} >= {"open", "closed"}
    one = sampler.state(samples, QueryDict("provider=sparrow&model="))
    assert "it lies" in one["parts"]["why"]
    assert json.loads(json.dumps(one))["charts"]
    assert sampler.state(samples, QueryDict("provider=gone&model=")) == {}
    assert sampler.state([], QueryDict()) == {}


@pytest.mark.django_db(transaction=True)
async def test_with_redis_gone_the_last_bands_stay(
    operator_async_client: AsyncClient, redis_server: RedisServer
) -> None:
    """Of when they are is said; all recovers by itself."""
    await sync_to_async(make_house)()
    sampler = BreakersSampler()
    async with sampling([sampler]):
        kept = channel("breakers")
        assert kept is not None

        async def is_away() -> bool:
            return kept.away_since_s is not None

        async def is_back() -> bool:
            return bool(kept.samples) and kept.away_since_s is None

        with kept.viewed():
            await eventually(is_back)
            redis_server.kill()
            await eventually(is_away)
            page = (await operator_async_client.get(URL)).content.decode()
            assert "These figures are of" in page
            assert "Sparrow" in page
            redis_server.ensure_running()
            await eventually(is_back)


# --- bands -------------------------------------------------------------------------------------


def change(kind: ChangeKind, at_s: float, until_s: float = 0.0, **fields: str) -> BreakerChange:
    entry_id = f"{int(at_s * 1_000)}-0"
    reason = fields.get("reason", "")
    return BreakerChange("sparrow", None, entry_id, kind, until_s, 1, reason, "")


def test_an_opening_is_open_then_half_open_then_closed() -> None:
    """Half-open from the end of its rest on, until a probe is answered."""
    told = [
        change(ChangeKind.OPEN, NOW_S - 50, NOW_S - 30, reason="503"),
        change(ChangeKind.CLOSED, NOW_S - 10),
    ]
    found = stretches(told, NOW_S - 100, NOW_S)
    assert [(one.state, one.since_s - NOW_S, one.until_s - NOW_S) for one in found] == [
        (BreakerState.CLOSED, -100, -50),
        (BreakerState.OPEN, -50, -30),
        (BreakerState.HALF_OPEN, -30, -10),
        (BreakerState.CLOSED, -10, 0),
    ]
    assert found[1].cause == "503"


def test_what_is_forced_lies_over_it_until_it_is_over_or_reset() -> None:
    """A reset ends it at once, another forcing takes its place."""
    told = [
        change(ChangeKind.FORCED_OPEN, NOW_S - 80, NOW_S + 80),
        change(ChangeKind.FORCED_CLOSED, NOW_S - 60, NOW_S + 60),
        change(ChangeKind.RESET, NOW_S - 20),
    ]
    forced = [one for one in stretches(told, NOW_S - 100, NOW_S) if one.is_forced]
    assert [(one.state, one.since_s - NOW_S, one.until_s - NOW_S) for one in forced] == [
        (BreakerState.OPEN, -80, -60),
        (BreakerState.CLOSED, -60, -20),
    ]


_KINDS = st.sampled_from([one for one in ChangeKind if not one.startswith("forced")])
_CHANGES = st.lists(
    st.tuples(_KINDS, st.integers(-2_000, 0), st.integers(1, 900)), max_size=12
).map(lambda rows: sorted(rows, key=lambda row: row[1]))


@given(rows=_CHANGES)
def test_the_states_leave_no_gap(rows: Sequence[tuple[ChangeKind, int, int]]) -> None:
    """Whatever happened, every moment has one state, and no band lies outside."""
    told = [change(kind, NOW_S + at, NOW_S + at + rest) for kind, at, rest in rows]
    found = sorted(stretches(told, NOW_S - 1_000, NOW_S), key=lambda one: one.since_s)
    assert found[0].since_s == NOW_S - 1_000
    assert found[-1].until_s == NOW_S
    assert all(one.until_s == following.since_s for one, following in pairwise(found))
    for band in bands(found, NOW_S - 1_000, NOW_S):
        assert -0.01 <= band.x <= 100
        assert band.x + band.width <= 100.02


def test_the_chart_shades_the_time_it_is_open() -> None:
    """Plotly takes it as it is; without calls there is no share."""
    calm = BreakerWatch(
        state=BreakerState.CLOSED, until_s=0, opened_s=0, trips=0, reason="", is_forced=False,
        probes_under_way=0, probes=3, calls=0, failures=0, slow=0, min_calls=5, failure_rate=0.5,
        slow_rate=0.8,
    )  # fmt: skip
    looks = [(NOW_S - 2, calm), (NOW_S - 1, _failing(calm)), (NOW_S, _failing(calm))]
    figure = go.Figure(blank(rates_figure(looks)))
    assert list(figure.data[0].y) == [None, 75.0, 75.0]
    assert list(figure.data[2].y) == [50.0, 50.0, 50.0]
    assert len(figure.layout.shapes) == 1


def _failing(watch: BreakerWatch) -> BreakerWatch:
    return replace(watch, state=BreakerState.OPEN, calls=20, failures=15)

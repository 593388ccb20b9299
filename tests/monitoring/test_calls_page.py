"""The table of calls: filters in the address, pages by key, trails, CSV."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time

import pytest
from django.db.models import Q
from django.test import AsyncClient, Client
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django import DjangoAssertNumQueries

from gateway.types import Outcome
from monitoring import paging
from monitoring.keeping import keep
from monitoring.models import CallRecord
from monitoring.owners import owner_names
from monitoring.paging import PAGE, BadCursorError, Cursor, Search, page_of
from monitoring.records import record_of
from tests.factories import (
    make_attempt,
    make_call,
    make_event,
    make_key,
    make_offer,
    make_provider,
    make_user,
)

pytestmark = pytest.mark.django_db

CALL_LINK = re.compile(r'href="/monitoring/calls/(\w+)/"')


def shown(client: Client, query: str = "") -> list[str]:
    page = client.get(f"/monitoring/calls/?{query}").content.decode()
    return list(dict.fromkeys(CALL_LINK.findall(page)))


def make_many(count: int) -> list[str]:
    """Oldest first; every third shares its time with the one before."""
    began = time.time() - 10_000
    events = [make_event(at=began + number - (number % 3 == 1)) for number in range(count)]
    CallRecord.objects.bulk_create([record_of(event) for event in events])
    return [call.call_id for call in CallRecord.objects.order_by("at", "pk")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("provider=wagtail", {"cached", "late"}),
        ("outcome=failed", {"late"}),
        ("outcome=timeout", {"late"}),
        ("outcome=cache", {"cached"}),
        ("outcome=answered", {"plain", "cached", "old", "slow"}),
        ("cached=yes", {"cached"}),
        ("cached=no", {"plain", "late", "old", "slow"}),
        ("longer_than=5", {"slow"}),
        ("source=api", {"slow"}),
        ("model=heron", {"slow"}),
        ("span=1h", {"plain", "cached", "late", "slow"}),
        ("until=2020-01-01T00:00", set()),
        ("q=took+too+long", {"late"}),
        ("q=plain", {"plain"}),
        ("provider=sparrow&longer_than=5&source=api", {"slow"}),
        ("retried=yes", {"late"}),
        ("key=k7&retried=no", {"cached"}),
        ("user=Ada", {"old"}),
        ("user=mara&cached=yes", {"cached"}),
        ("provider=gone", set()),
    ],
)
def test_filters(viewer_client: Client, query: str, expected: set[str]) -> None:
    """Each filter narrows, together they narrow further."""
    make_call(call_id="plain")
    make_call(call_id="cached", provider="wagtail", cached="redis", key_id="k7")
    twice = (make_attempt(outcome=Outcome.TIMEOUT), make_attempt(outcome=Outcome.TIMEOUT))
    make_call(
        call_id="late",
        provider="wagtail",
        outcome=Outcome.TIMEOUT,
        detail="It took too long.",
        attempts=twice,
    )
    ada = make_user(username="ada")
    make_call(call_id="old", at=time.time() - 7_200, owner=f"user:{ada.pk}")
    make_call(call_id="slow", duration_s=9.0, source="api", model="heron-70b")

    assert set(shown(viewer_client, query)) == expected


@pytest.mark.parametrize(
    "query",
    [
        "span=forever",
        "outcome=great",
        "longer_than=-1",
        "longer_than=nan",
        "longer_than=1e999",
        "since=tomorrow",
        "q=" + "x" * 500,
        "after=here",
        "after=99999999999999999999999-1",
        "before=-1-2",
        "after=²-1",
        "sort=owner",
        "cached=maybe",
    ],
)
def test_nonsense_is_answered_in_place(viewer_client: Client, query: str) -> None:
    """What is not understood is said; the rest of the page is there."""
    make_call(call_id="plain")
    response = viewer_client.get(f"/monitoring/calls/?{query}")
    text = response.content.decode()

    assert response.status_code == 200
    assert 'role="alert"' in text
    assert "plain" in CALL_LINK.findall(text)


def test_a_wrong_filter_leaves_the_others_in_force(viewer_client: Client) -> None:
    """One bad field does not show everything."""
    make_call(call_id="plain")
    make_call(call_id="other", provider="wagtail")

    assert shown(viewer_client, "provider=wagtail&longer_than=much") == ["other"]


@pytest.mark.parametrize("sort", ["-at", "at"])
def test_pages_hold_every_call_once(viewer_client: Client, sort: str) -> None:
    """Following “Next” to the end and “Previous” back shows each call, in order, both ways."""
    expected = make_many(2 * PAGE + 7)
    if sort == "-at":
        expected.reverse()
    forward: list[str] = []
    url, pages = f"?sort={sort}", 0
    while url:
        text = viewer_client.get(f"/monitoring/calls/{url}").content.decode()
        forward += dict.fromkeys(CALL_LINK.findall(text))
        last, url, pages = url, _link(text, "next"), pages + 1
    assert (forward, pages) == (expected, 3)

    back = _link(viewer_client.get(f"/monitoring/calls/{last}").content.decode(), "prev")
    text = viewer_client.get(f"/monitoring/calls/{back}").content.decode()
    assert list(dict.fromkeys(CALL_LINK.findall(text))) == expected[PAGE : 2 * PAGE]


def _link(text: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    return found[1].replace("&amp;", "&") if found else ""


@given(st.text(max_size=40))
def test_any_text_is_a_cursor_or_a_clear_error(text: str) -> None:
    """Addresses are typed by people and by machines; none of them ends in a 500."""
    try:
        cursor = Cursor.parse(text)
    except BadCursorError:
        return
    assert Cursor.parse(str(cursor)) == cursor


def test_a_rare_match_is_looked_for_piece_by_piece(
    viewer_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page reads so many calls and no more; it says how far it looked, and goes on from there."""
    monkeypatch.setattr(paging, "SEARCHED_AT_ONCE", 20)
    oldest, *_ = make_many(50)
    CallRecord.objects.filter(call_id=oldest).update(detail="Needle")
    address, looks = "/monitoring/calls/?q=needle", 1
    while oldest not in (text := viewer_client.get(address).text):
        assert "searched" in text
        link = re.search(r'href="([^"]*)">Search older ones', text)
        assert link, text
        address, looks = f"/monitoring/calls/{html.unescape(link[1])}", looks + 1

    assert looks == 3
    assert "older ones" not in text


class TestSearchingOn(TestCase):  # hypothesis wants a clean database for each example
    @given(st.lists(st.integers(0, 3), max_size=30), st.integers(2, 9), st.booleans())
    def test_finds_every_match_once(
        self, marks: list[int], at_once: int, oldest_first: bool
    ) -> None:
        """Whatever lies where: the pages together hold what matches, in order, and end."""
        events = [make_event(at=1e9 + n // 2, duration_s=mark) for n, mark in enumerate(marks)]
        keep([record_of(event) for event in events])
        search, found, after = Search(CallRecord.objects.all(), Q(duration_s=0)), [], None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paging, "SEARCHED_AT_ONCE", at_once)
            patch.setattr(paging, "PAGE", 2)
            page = page_of(search, oldest_first=oldest_first)
            found += page.calls
            while (after := page.next) is not None:
                page = page_of(search, oldest_first=oldest_first, after=after)
                found += page.calls
        order = ("at", "pk") if oldest_first else ("-at", "-pk")

        assert found == list(search.all.order_by(*order))


def test_a_far_page_costs_what_the_first_costs(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    """One query that seeks by key."""
    make_many(2 * PAGE)
    middle = CallRecord.objects.order_by("-at", "-pk")[PAGE]
    with django_assert_num_queries(1):
        page = page_of(Search(CallRecord.objects.all()), after=Cursor(middle.at, middle.pk))
    assert len(page.calls) == PAGE - 1


def test_reads_the_table_in_few_queries(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Names of models and providers come for all rows at once."""
    make_many(PAGE)
    viewer_client.get("/monitoring/calls/")
    with django_assert_max_num_queries(9):
        viewer_client.get("/monitoring/calls/")


def test_htmx_gets_the_table_alone(viewer_client: Client) -> None:
    """A filter that changes swaps the table, and caches are told of both forms."""
    make_call()
    response = viewer_client.get("/monitoring/calls/?q=x", headers={"HX-Request": "true"})

    assert "<html" not in response.content.decode()
    assert "HX-Request" in response["Vary"]


def test_empty_leads_to_the_playground(viewer_client: Client) -> None:
    """Before the first call there is nothing to filter."""
    text = viewer_client.get("/monitoring/calls/").content.decode()

    assert "No calls yet" in text
    assert '<form class="filter"' not in text


def test_usage_nobody_reported_is_not_zero(viewer_client: Client) -> None:
    """A failed or cancelled call shows a dash; what it did report, it shows."""
    silent = make_call(outcome=Outcome.TIMEOUT, prompt_tokens=0, completion_tokens=0)
    cut = make_call(outcome=Outcome.CANCELLED, prompt_tokens=7, completion_tokens=0)
    table, detail = (
        viewer_client.get("/monitoring/calls/").text,
        {call: viewer_client.get(call.get_absolute_url()).text for call in (silent, cut)},
    )

    assert re.findall(r'<td class="num">([07–])</td>\s*<td class="num">([0–])</td>', table) == [
        ("7", "0"),
        ("–", "–"),
    ]
    assert "<dt>Tokens in</dt><dd>–</dd>" in detail[silent]
    assert "<dt>Tokens in</dt><dd>7</dd>" in detail[cut]


def test_owners_are_called_by_name(
    viewer_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The engine's `user:1` is nobody's name; a removed user is said to be so."""
    mara, gone = make_user(username="mara"), make_user(username="gone")
    owners = (f"user:{mara.pk}", f"user:{gone.pk}", "batch job", "user:x", f"user:{'9' * 40}")
    gone_pk = gone.pk
    gone.delete()
    with django_assert_num_queries(1):
        names = owner_names(owners)
    make_call(owner=owners[0])

    assert list(map(names.get, owners)) == ["mara", f"user {gone_pk}, removed", *owners[2:]]
    assert '<span class="under">mara</span>' in viewer_client.get("/monitoring/calls/").text


def test_a_failed_call_was_asked_for_not_answered(viewer_client: Client) -> None:
    """The facts never say that something answered which did not."""
    call = make_call(outcome=Outcome.TIMEOUT, is_streamed=False)
    text = viewer_client.get(call.get_absolute_url()).text

    assert "<dt>Asked for</dt><dd>the whole answer</dd>" in text
    assert "Answered as" not in text


def _poll(text: str) -> str:
    found = re.search(r'hx-get="(/monitoring/calls/\?seen=[^"]*)"', text)
    return found[1] if found else ""


def test_the_first_page_follows_new_calls(viewer_client: Client) -> None:
    """It asks for what it has not seen, and nothing is swapped while there is nothing."""
    make_call()
    asked = _poll(viewer_client.get("/monitoring/calls/").text)
    htmx = {"HX-Request": "true"}
    assert viewer_client.get("/monitoring/calls/?seen=1.1", headers=htmx).status_code == 200
    make_call(call_id="new")
    rows = viewer_client.get(asked, headers=htmx).text

    assert CALL_LINK.findall(rows)[0] == "new"
    assert _poll(rows) not in ("", asked)


def test_a_poll_without_news_swaps_nothing(viewer_client: Client) -> None:
    """An idle house costs one small query, and no one loses the text they have marked."""
    make_call()
    answers = set()
    for _ in range(2):
        seen = _poll(viewer_client.get("/monitoring/calls/").text)
        answers.add(viewer_client.get(seen, headers={"HX-Request": "true"}).status_code)

    assert 204 in answers  # once a minute the ages are written anew


def test_the_first_call_of_all_brings_the_page(viewer_client: Client) -> None:
    """What is empty asks too, on each page that shows it, and is loaded anew then."""
    htmx = {"HX-Request": "true"}
    for page in ("/", "/monitoring/", "/monitoring/calls/"):
        asked = _poll(viewer_client.get(page).text)
        assert viewer_client.get(asked, headers=htmx).status_code == 204
    make_call()

    assert viewer_client.get(asked, headers=htmx)["HX-Refresh"] == "true"


@pytest.mark.parametrize("query", ["q=x", "sort=at", "after=1-1", "provider=wagtail"])
def test_other_pages_stand_still(viewer_client: Client, query: str) -> None:
    """Who filters or turns pages is reading: nothing moves."""
    make_call()
    assert not _poll(viewer_client.get(f"/monitoring/calls/?{query}").text)


def test_a_call_with_its_trail(viewer_client: Client) -> None:
    """Each attempt with who, how it came out and why, on one axis."""
    make_provider(slug="wagtail", name="Wagtail Cloud")
    call = make_call(
        provider="wagtail",
        duration_s=2.0,
        attempts=(
            make_attempt(
                provider="sparrow",
                outcome=Outcome.THROTTLED,
                status=429,
                detail="Too many requests <now>.",
                first_token_s=None,
                duration_s=0.5,
                retry_after_s=4.0,
            ),
            make_attempt(provider="wagtail", started_s=0.5, limiter_wait_s=0.5, duration_s=1.5),
        ),
    )
    text = viewer_client.get(call.get_absolute_url()).content.decode()

    assert "Fell back: wren-8b on Wagtail Cloud" in text
    assert "Too many requests &lt;now&gt;." in text
    assert "status 429" in text
    assert '<rect class="wait" x="25.0%" width="25.0%">' in text
    assert "held by the limiter <b>0.5\u00a0s</b>" in text
    assert "style=" not in text


def test_a_call_nobody_answered(viewer_client: Client) -> None:
    """No attempt at all is a trail too."""
    call = make_call(
        outcome=Outcome.NOT_CONFIGURED, provider="", model="", attempts=(), detail="No target."
    )
    text = viewer_client.get(call.get_absolute_url()).content.decode()

    assert "No target was tried" in text
    assert "No target." in text


def test_an_unknown_call_is_a_404_that_explains(viewer_client: Client) -> None:
    """A bookmarked call may be forgotten by now."""
    response = viewer_client.get("/monitoring/calls/nope/")

    assert response.status_code == 404
    assert "This call is not known" in response.content.decode()


async def exported(client: AsyncClient, form: str) -> str:
    response = await client.get(f"/monitoring/calls.{form}")
    return b"".join([piece async for piece in aiter(response)]).decode()  # type: ignore[arg-type]  # a streaming response


@pytest.mark.django_db(transaction=True)
async def test_exports_the_filter(operator_async_client: AsyncClient) -> None:
    """The same filter, newest first, as CSV and as JSON; no cell that a spreadsheet would run."""
    ours = [
        make_event(call_id="bad", owner="=cmd()", provider="wagtail"),
        make_event(
            call_id="late",
            at=1.0,
            owner="user:0",
            provider="wagtail",
            outcome=Outcome.TIMEOUT,
            prompt_tokens=0,
            completion_tokens=0,
        ),
    ]
    events = [*ours, make_event(call_id="other")]
    await CallRecord.objects.abulk_create([record_of(event) for event in events])
    text = await exported(operator_async_client, "csv?provider=wagtail")

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["call_id"] for row in rows] == ["bad", "late"]
    assert [row["owner"] for row in rows] == ["'=cmd()", "user 0, removed"]
    assert [row["completion_tokens"] for row in rows] == ["80", ""]

    text = await exported(operator_async_client, "jsonl?provider=wagtail")
    told = [json.loads(line) for line in text.splitlines()]
    assert [one["call_id"] for one in told] == ["bad", "late"]
    assert [one["owner"] for one in told] == ["=cmd()", "user 0, removed"]
    assert [one["completion_tokens"] for one in told] == [80, None]
    assert told[1]["at"] == "1970-01-01T00:00:01Z"
    assert set(told[0]) == set(rows[0])


@pytest.mark.django_db(transaction=True)
async def test_exports_nothing_that_was_not_asked(operator_async_client: AsyncClient) -> None:
    """A file cannot carry a message, so a wrong filter is refused."""
    response = await operator_async_client.get("/monitoring/calls.csv?longer_than=long")

    assert response.status_code == 400
    assert "longer_than" in response.content.decode()


def test_the_trail_is_a_waterfall(viewer_client: Client) -> None:
    """Each phase that was measured begins where the one before it ended."""
    attempt = make_attempt(
        limiter_wait_s=0.2, sent_s=0.3, head_s=0.5, first_token_s=0.8, duration_s=2.0
    )
    call = make_call(attempts=(attempt,), duration_s=2.0)
    text = viewer_client.get(call.get_absolute_url()).text
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)%" width="([\d.]+)%">', text)

    assert [name for name, *_ in bars] == ["queued", "wait", "connect", "first", "rest"]
    assert [float(x) for _, x, _ in bars] == [0, 5, 15, 25, 40]
    assert sum(float(width) for *_, width in bars) == pytest.approx(100)


def test_a_call_as_curl_holds_no_key(viewer_client: Client) -> None:
    """What the engine would send to the same offer, the key as a variable of the shell."""
    provider = make_provider(slug="sparrow", auth="bearer", env_var="SPARROW_API_KEY")
    make_offer(provider, external_id="wren`$(touch /tmp/x)`")
    make_key(provider, secret="sk_made_up_for_tests_7711")
    call = make_call(provider="sparrow", model="wren`$(touch /tmp/x)`", is_streamed=True)
    text = html.unescape(viewer_client.get(call.get_absolute_url()).text)

    assert 'curl -N "http://127.0.0.1:9/v1/chat/completions"' in text
    assert 'Bearer $SPARROW_API_KEY"' in text
    assert "sk_made_up" not in text
    body = re.search(r"-d '([^']*)'", text)
    assert body
    assert json.loads(body[1])["model"] == "wren`$(touch /tmp/x)`"
    gone = make_call(model="gone")
    assert "Ask it again" not in viewer_client.get(gone.get_absolute_url()).text

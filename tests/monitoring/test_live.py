"""The live minutes: one reader, the same picture in every process, viewers that never pile up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from freellm_site.accounts.models import User
from freellm_site.accounts.services import set_active
from gateway.keys import EVENT_STREAM
from gateway.types import Outcome
from monitoring.board import Board
from monitoring.live import Live, current, reading
from monitoring.models import Course
from monitoring.ranges import LIVE
from monitoring.subjects import EVERYTHING, Kind, Subject
from monitoring.views import live as live_views
from tests.factories import make_event
from tests.monitoring.streams import eventually, send
from tests.servers import RedisServer

NOW_S = 1_800_000_000


def test_counts_by_step_and_provider() -> None:
    """Each call counts once, in the step it ended in, for its provider and for all."""
    board = Board()
    board.add(make_event(provider="sparrow"), NOW_S - 1)
    board.add(make_event(provider="wagtail", outcome=Outcome.TIMEOUT), NOW_S - 1)
    board.add(make_event(provider="wagtail", cached="memory"), NOW_S - 6)

    picture = board.picture(NOW_S)  # NOW_S begins a step, so the calls lie in the two before
    sparrow, wagtail = (Subject(Kind.PROVIDER, name) for name in ("sparrow", "wagtail"))
    assert picture.rows.keys() == {EVERYTHING, sparrow, wagtail}
    whole, one = picture.series(), picture.series(wagtail)
    assert whole.total().courses == {Course.FIRST: 1, Course.FAILED: 1, Course.CACHE: 1}
    assert one.total().courses == {Course.FAILED: 1, Course.CACHE: 1}
    assert [step.calls for step in whole.steps[-3:]] == [1, 2, 0]


@given(st.lists(st.integers(min_value=-400, max_value=3), max_size=40))
def test_a_picture_holds_the_window_and_nothing_else(offsets: list[int]) -> None:
    """Whatever arrives in whatever order: calls of the last sixty steps, all of them, no other."""
    board = Board()
    for offset in offsets:
        board.add(make_event(), NOW_S + offset)
    first_s = LIVE.first_s(NOW_S)
    expected = [at for at in offsets if first_s <= NOW_S + at < first_s + LIVE.span_s]

    assert board.picture(NOW_S).series().total().calls == len(expected)


def test_forgets_what_is_older_than_the_window() -> None:
    """Memory is bounded by the window, not by the life of the process."""
    board = Board()
    board.add(make_event(), NOW_S - 301)
    board.forget_before(NOW_S - 300)

    assert board.is_empty


@given(st.lists(st.sampled_from([-9, -4, 0, 1]), max_size=12), st.integers(0, 12))
def test_a_late_call_is_counted_like_any_other(offsets: list[int], looked_after: int) -> None:
    """Also when its step is over and was looked at already."""
    board = Board()
    for number, offset in enumerate(offsets):
        if number == looked_after:
            board.picture(NOW_S)
        board.add(make_event(owner=f"user:{number % 2}"), NOW_S + offset)
    owners = board.picture(NOW_S, by=Kind.OWNER)

    assert owners.series().total().calls == len(offsets)
    assert sum(owners.series(one).total().calls for one in owners.rows) == 2 * len(offsets)


def test_tells_apart_by_any_kind() -> None:
    """A model's calls at its provider; the table beside holds that provider's models only."""
    board = Board()
    for provider, model in (
        ("sparrow", "wren-8b"),
        ("sparrow", "wren-70b"),
        ("wagtail", "wren-8b"),
    ):
        board.add(make_event(provider=provider, model=model), NOW_S)
    of = Subject(Kind.MODEL, "sparrow", "wren-8b")
    picture = board.picture(NOW_S, of, Kind.MODEL)

    assert picture.rows.keys() == {of, of._replace(name="wren-70b")}
    assert picture.series(of).total().calls == 1
    assert board.calls_per_s(NOW_S + 1, of) == pytest.approx(0.1)


def test_rate_counts_whole_seconds_only() -> None:
    """The running second is left out, else every rate would begin too low."""
    board = Board()
    for at_s in (NOW_S, NOW_S - 1, NOW_S - 10, NOW_S - 11):
        board.add(make_event(), at_s)

    assert board.calls_per_s(NOW_S + 0.5) == pytest.approx(0.2)


@pytest.fixture
async def live(redis_url: str) -> AsyncIterator[Live]:
    async with reading() as live:
        yield live


async def _calls(live: Live) -> int:
    return live.board.picture(live.now_s()).series().total().calls


async def test_a_new_process_shows_the_same_picture(redis_client: Redis, redis_url: str) -> None:
    """What happened before the reader started is replayed from the stream, five minutes back."""
    await redis_client.xadd(
        EVENT_STREAM, {"event": make_event().to_json()}, id=f"{int(time.time() - 1_000) * 1_000}-0"
    )
    await send(redis_client, make_event(), make_event())
    await redis_client.xadd(EVENT_STREAM, {"event": "no event"})
    async with reading() as live:
        await eventually(lambda: _has(live, 2))
        await send(redis_client, make_event())
        await eventually(lambda: _has(live, 3))

    assert current() is None


async def _has(live: Live, count: int) -> bool:
    return await _calls(live) == count


async def test_a_slow_viewer_finds_the_newest_picture(live: Live, redis_client: Redis) -> None:
    """A version that was missed is not waited for: the newest comes at once, and only once."""
    await send(redis_client, make_event())
    first = await live.wait_for_change(-1, 10)
    while live.version < first + 2:
        await live.wait_for_change(live.version, 10)

    assert await live.wait_for_change(first, 10) == live.version > first


async def test_waiting_ends_with_the_timeout(live: Live) -> None:
    """Nothing new: the viewer gets its own version back, and sends a heartbeat."""
    assert await live.wait_for_change(live.version, 0.01) == live.version


async def test_reads_on_when_redis_comes_back(
    live: Live, redis_client: Redis, redis_server: RedisServer
) -> None:
    """Redis killed: the picture says so. Redis back: new calls are counted again."""
    await eventually(lambda: _is_connected(live, expected=True))
    redis_server.kill()
    await eventually(lambda: _is_connected(live, expected=False))
    redis_server.ensure_running()
    await redis_client.connection_pool.disconnect()
    await eventually(lambda: _is_connected(live, expected=True))
    await send(redis_client, make_event())
    await eventually(lambda: _has(live, 1))


async def _is_connected(live: Live, *, expected: bool) -> bool:
    return live.is_connected is expected


def _pieces(response: Any) -> AsyncIterator[bytes]:
    return aiter(response)


@pytest.mark.django_db(transaction=True)
async def test_the_stream_tells_of_a_call_within_two_seconds(
    live: Live, redis_client: Redis, operator_async_client: AsyncClient
) -> None:
    """From the event's arrival to the viewer: at most two seconds."""
    response = await operator_async_client.get("/monitoring/live/")
    assert response["Content-Type"] == "text/event-stream"
    lines = _pieces(response)
    await anext(lines)  # how soon to come again after a break
    began = time.monotonic()
    await send(redis_client, make_event(provider="sparrow"))
    async for piece in lines:
        text = piece.decode()
        if "event: state" not in text:
            continue
        state = json.loads(text.split("data: ", 1)[1])
        if sum(state["columns"]["first"]) > 0:
            break
    assert time.monotonic() - began < 2
    assert state["is_connected"] is True
    assert {tile["key"] for tile in state["tiles"]} >= {"rate", "answered", "latency"}
    assert datetime.fromisoformat(state["times"][-1]) <= datetime.now(UTC).replace(tzinfo=None)


@pytest.mark.django_db(transaction=True)
async def test_a_quiet_stream_beats(live: Live, operator_async_client: AsyncClient) -> None:
    """Without calls there is still a sign of life, so that the page knows it is not behind."""
    response = await operator_async_client.get("/monitoring/live/?provider=nobody")
    async with asyncio.timeout(10):
        async for piece in _pieces(response):
            if b"event: beat" in piece:
                return
    pytest.fail("the stream ended without a beat")


@pytest.mark.django_db(transaction=True)
async def test_a_stream_ends_with_its_account(
    live: Live, operator_async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is deactivated sees no more of it, though the page was open before."""
    monkeypatch.setattr(live_views, "SIGNED_IN_EVERY_S", 0.1)
    response = await operator_async_client.get("/monitoring/live/")
    user = await User.objects.aget()
    async with asyncio.timeout(20):
        pieces = _pieces(response)
        await anext(pieces)
        await anext(pieces)
        await sync_to_async(set_active)(user.pk, is_active=False)
        async for _ in pieces:
            pass


async def test_without_a_reader_the_stream_says_so(operator_async_client: AsyncClient) -> None:
    """No lifespan service in this process: a clear 503, no endless silence."""
    response = await operator_async_client.get("/monitoring/live/")

    assert response.status_code == 503
    assert "No live reader" in response.json()["error"]


async def test_the_stream_is_not_for_strangers() -> None:
    """Who is not signed in is sent to sign in."""
    response = await AsyncClient().get("/monitoring/live/")

    assert response.status_code == 302


@pytest.mark.parametrize("alive_s", [0.0, 0.0005, 0.001, 0.002, 0.01])
async def test_the_reader_ends_whenever_it_is_left(alive_s: float) -> None:
    """Also while it is still connecting, where redis-py can lose a cancellation."""
    async with asyncio.timeout(5):
        async with reading():
            await asyncio.sleep(alive_s)

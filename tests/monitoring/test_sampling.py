"""How live pages are fed: one look for all viewers, the newest only, and a Redis that goes away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import QueryDict
from django.test import AsyncClient

from gateway.client import Gateway
from monitoring.sampling import KEPT_S, Channel, Sample, Told, channel, newest, sampling
from tests.monitoring.streams import eventually
from tests.servers import RedisServer


class Trips:
    """Asks Redis something, and counts how often it was asked to."""

    name = "trips"

    def __init__(self) -> None:
        self.count = 0

    async def sample(self, gateway: Gateway) -> int:
        self.count += 1
        await gateway.breaker_states([("sparrow", None)])
        await gateway.cache_counters("2026-11-22")
        return self.count

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        return {"texts": {"count": str(samples[-1].value), "of": asked.get("of", "")}}


@pytest.fixture
async def trips(redis_url: str) -> AsyncIterator[Trips]:
    sampler = Trips()
    async with sampling([sampler]):
        await eventually(lambda: _has(sampler, 1))
        yield sampler


async def _has(sampler: Trips, count: int) -> bool:
    return sampler.count >= count


def _channel() -> Channel:
    found = channel("trips")
    assert found is not None
    return found


async def test_all_viewers_share_one_look(trips: Trips) -> None:
    """Two hundred wait for the same change: it is looked once, and told in one text."""
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(_channel().viewed())
        seen = _channel().version
        before = trips.count
        versions = await asyncio.gather(*(_channel().wait_for_change(seen, 10) for _ in range(200)))
        assert trips.count - before <= 2
        texts = {id(_channel().state(QueryDict("of=all"))) for _ in versions}
    assert len(texts) == 1


async def test_looks_again_as_soon_as_somebody_does(trips: Trips) -> None:
    """Nobody looked; a viewer need not wait until the idle look is due."""
    before = trips.count
    with _channel().viewed():
        async with asyncio.timeout(10):
            while trips.count == before:
                await _channel().wait_for_change(_channel().version, 10)


async def test_a_page_begins_with_figures_that_are_fresh(trips: Trips) -> None:
    """What it is rendered from is at hand; the look it has asked for follows."""
    samples, away_since_s = await sync_to_async(newest)(trips)

    assert samples
    assert away_since_s is None


async def test_says_since_when_redis_is_away_and_recovers(
    trips: Trips, redis_server: RedisServer
) -> None:
    """The last figures stay; the page is told that they are the last; then all goes on."""
    with _channel().viewed():
        redis_server.kill()
        await eventually(_is(away=True))
        assert json.loads(_channel().state(QueryDict()))["is_connected"] is False
        samples, away_since_s = await sync_to_async(newest)(trips)
        assert samples
        assert away_since_s
        redis_server.ensure_running()
        await eventually(_is(away=False))


def _is(*, away: bool) -> Any:
    async def holds() -> bool:
        return (_channel().away_since_s is not None) is away

    return holds


async def test_keeps_five_minutes(trips: Trips) -> None:
    """However long the process lives."""
    kept = _channel()
    kept.samples.appendleft(Sample(kept.samples[0].at_s - KEPT_S - 60, 0))
    with kept.viewed():
        await kept.wait_for_change(kept.version, 10)
        await eventually(_newest_only)


async def _newest_only() -> bool:
    samples = _channel().samples
    return samples[-1].at_s - samples[0].at_s <= KEPT_S


def test_without_a_channel_a_page_looks_itself(redis_server: RedisServer) -> None:
    """In tests and commands; with Redis away there is nothing to show, and the page says so."""
    samples, away_since_s = newest(Trips())
    assert [one.value for one in samples] == [1]
    assert away_since_s is None

    redis_server.kill()
    samples, away_since_s = newest(Trips())
    assert not samples
    assert away_since_s


def test_what_is_told_is_made_once_for_each_question() -> None:
    """Of an older version nothing is kept."""
    told, made = Told(), iter(range(10))
    texts = [
        told.text(version, asked, lambda: {"made": next(made)})
        for version, asked in [(1, "a"), (1, "a"), (1, "b"), (2, "a")]
    ]
    assert texts == ['{"made":0}', '{"made":0}', '{"made":1}', '{"made":2}']


@pytest.mark.django_db(transaction=True)
async def test_a_stream_goes_on_where_it_broke_off(
    trips: Trips, operator_async_client: AsyncClient
) -> None:
    """Who has seen the newest version waits for the next, who has not gets it at once."""
    first = await _first_state(operator_async_client, "")
    seen = int(first.partition("id: ")[2].split("-")[1].split()[0])
    again = await _first_state(operator_async_client, first.partition("id: ")[2].split()[0])

    assert int(again.partition("id: ")[2].split("-")[1].split()[0]) > seen
    assert json.loads(first.partition("data: ")[2])["texts"]["of"] == "me"


async def _first_state(client: AsyncClient, last_id: str) -> str:
    response: Any = await client.get(
        "/monitoring/live/trips/?of=me", headers={"Last-Event-ID": last_id}
    )
    pieces = aiter(response)
    async with asyncio.timeout(20):
        async for piece in pieces:
            if b"event: state" in piece:
                await pieces.aclose()
                return str(piece.decode())
    pytest.fail("no state")


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_is_not_live_has_no_stream(operator_async_client: AsyncClient) -> None:
    """A misspelt name is a 404, not an endless silence."""
    response = await operator_async_client.get("/monitoring/live/nothing/")

    assert response.status_code == 404

"""`make demo` sends prompts to the simulated providers; each ends in one call event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Thread

import pytest
from django.core.management import call_command
from redis import Redis

from catalog import snapshot, standing
from catalog.models import Origin
from gateway.events import CallEvent
from gateway.keys import EVENT_STREAM
from gateway.simulator.server import running_simulator
from gateway.types import Outcome
from tests.factories import make_model, make_offer, make_provider, make_scenario
from tests.servers import RedisServer

WITHIN_S = 20.0


@pytest.fixture
def simulator_url() -> Iterator[str]:
    """A simulator in a thread of its own: the command needs the main one for its signals."""
    started: Future[tuple[str, asyncio.Event, asyncio.AbstractEventLoop]] = Future()

    async def serve() -> None:
        async with running_simulator(make_scenario()) as url:
            stop = asyncio.Event()
            started.set_result((url, stop, asyncio.get_running_loop()))
            await stop.wait()

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    url, stop, loop = started.result(WITHIN_S)
    yield url
    loop.call_soon_threadsafe(stop.set)
    thread.join(WITHIN_S)


@pytest.mark.django_db(transaction=True)
def test_as_many_calls_as_were_asked(simulator_url: str, redis_server: RedisServer) -> None:
    """Three prompts leave three answered calls, told to be the demo's."""
    provider = make_provider(
        slug="sim-wren",
        origin=Origin.SIMULATOR,
        base_url=f"{simulator_url}/sim-wren/v1",
        allows_private_address=True,
    )
    model = make_model("Wren 8B")
    make_offer(provider, model, external_id="wren-8b", context_tokens=32_768)
    snapshot.forget()
    standing.forget()
    call_command("demo_traffic", "--calls", "3", "--per-second", "1000")
    with Redis(unix_socket_path=str(redis_server.socket)) as redis:
        entries = redis.xrange(EVENT_STREAM)
    events = [CallEvent.from_json(fields[b"event"]) for _, fields in entries]

    assert [event.source for event in events] == ["demo"] * 3
    assert {event.outcome for event in events} == {Outcome.ANSWERED}

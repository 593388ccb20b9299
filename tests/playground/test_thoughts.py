"""What a model thinks, and which tools it wants called: while it streams, and afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from catalog import snapshot
from gateway.types import ToolCallDelta
from playground import running
from playground.ending import take
from playground.models import Run, RunState
from playground.presenting import SHOWN_ARGUMENTS, ShownRun
from playground.running import carrying
from tests.factories import make_model, make_offer, make_provider
from tests.gateway.upstream import Received, Script, Wire, upstream
from tests.playground.streams import parse, read, until
from tests.playground.test_stream import send, stream_of

NASTY = '<script>alert("1")</script> & so\non\n'


def delta(**fields: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": fields}]}).encode() + b"\n\n"


END = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'


@asynccontextmanager
async def offered(script: Script) -> AsyncIterator[None]:
    """A provider in the catalog that answers as scripted."""

    def rows(base_url: str) -> None:
        provider = make_provider(base_url=base_url, allows_private_address=True)
        make_offer(provider, make_model("Wren 8B"), external_id="wren-8b", context_tokens=32_768)

    async with carrying(), upstream(script) as provider:
        await sync_to_async(rows)(provider.target().base_url)
        snapshot.forget()
        yield


async def test_thoughts_are_shown_folded_and_kept(operator_async_client: AsyncClient) -> None:
    """Above the answer, in pieces while they come, as text and never as HTML."""
    may_go_on = asyncio.Event()

    async def thinks(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(delta(reasoning_content=NASTY))
        await may_go_on.wait()
        await wire.send(delta(reasoning_content="Second\nthought"))
        await asyncio.sleep(0.3)
        await wire.send(delta(content="Paris.") + END)

    async with offered(thinks):
        run = await send(operator_async_client)
        stream = await stream_of(operator_async_client, run)
        begun = parse(await until(stream, "thinking"))[-1].data
        may_go_on.set()
        events = await read(stream)
        again = await read(await stream_of(operator_async_client, run))
    assert "<details" in begun
    assert "&lt;script&gt;" in begun
    thought = next(event.data for event in events if event.name == "thought")
    assert thought == "Second&#10;thought"
    for done in (events[-1].data, again[-1].data):
        assert done.index("Second\nthought") < done.index("Paris.")
        assert "<script>" not in done
    await run.arefresh_from_db()
    assert (run.reasoning, run.answer) == (NASTY + "Second\nthought", "Paris.")


async def test_wishes_for_tools_are_a_readable_block(operator_async_client: AsyncClient) -> None:
    """By name, with their arguments as lines of JSON; safe whatever they hold."""

    def call(**function: str) -> bytes:
        return delta(tool_calls=[{"index": 0, "id": "c1", "function": function}])

    async def calls(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(call(name="weather", arguments='{"city":'))
        await asyncio.sleep(0.3)
        await wire.send(call(arguments='"<b>Rome</b>"}') + END)

    async with offered(calls):
        run = await send(operator_async_client)
        events = await read(await stream_of(operator_async_client, run))
    shown = [event.data for event in events if event.name in {"calls", "done"}]
    assert "weather" in shown[0]
    assert "{\n  &quot;city&quot;: &quot;&lt;b&gt;Rome&lt;/b&gt;&quot;\n}" in shown[-1]
    await run.arefresh_from_db()
    assert run.state == RunState.DONE
    assert run.tool_calls == [{"name": "weather", "arguments": '{"city":"<b>Rome</b>"}'}]


def test_endless_arguments_are_cut() -> None:
    """What is shown of them is bounded; numbers that make no sense break nothing."""
    run = Run()
    for index in (0, 0, 7):
        take(run, ToolCallDelta(index, name="f", arguments="x" * SHOWN_ARGUMENTS))
    first, second = ShownRun(run).tool_calls
    assert len(first.arguments) == SHOWN_ARGUMENTS + 1
    assert second.arguments == "x" * SHOWN_ARGUMENTS


@pytest.mark.parametrize(("characters", "most"), [(100, 99), (60_000, 4)])
async def test_a_flood_is_written_ever_more_rarely(
    operator_async_client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    characters: int,
    most: int,
) -> None:
    """The whole of a long answer is not written to the database twice a second."""
    monkeypatch.setattr(running, "SAVE_EVERY_S", 0.05)
    written: list[int] = []
    save = running._save_progress

    async def counting(run: Run, said: Sequence[str]) -> bool:
        written.append(len(said))
        return await save(run, said)

    monkeypatch.setattr(running, "_save_progress", counting)
    monkeypatch.setattr(running, "SAVE_LATER_PER_CHARACTERS", 1_000)

    async def floods(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(delta(content="x" * characters))
        for piece in "y" * 15:
            await asyncio.sleep(0.1)
            await wire.send(delta(content=piece))
        await wire.send(END)

    async with offered(floods):
        run = await send(operator_async_client)
        await read(await stream_of(operator_async_client, run))
        await run.arefresh_from_db()
    assert len(run.answer) == characters + 15
    assert len(written) >= 4  # how it goes is
    assert 1 <= sum(map(bool, written)) <= most

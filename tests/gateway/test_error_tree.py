"""Every branch of the error tree, provoked over real sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, GatewayError
from gateway.types import Attempt, CacheMode, Completion, Outcome, parse_limits
from tests.gateway.test_dialects import _RECORDED
from tests.gateway.upstream import (
    Received,
    Script,
    Wire,
    answers,
    ask,
    event,
    refuses,
    upstream,
)

_REPLIES = Path(__file__).parent / "replies"
_DIALECTS = {"openai": "openai", "cohere": "cohere", "google-ai-studio": "gemini"}


async def trail_of(call: Any) -> list[Attempt]:
    """The attempts of a call that fails."""
    with pytest.raises(GatewayError) as caught:
        await call
    return list(caught.value.attempts) if isinstance(caught.value, AllTargetsFailed) else []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", sorted(_RECORDED))
async def test_recorded_refusals_over_the_wire(gateway: Gateway, name: str, stream: bool) -> None:
    """Each sample comes as its host sends it, headers and all, and is told by its own name."""
    reply = json.loads((_REPLIES / f"{name}.json").read_text())
    script = refuses(reply["status"], reply["body"], reply["headers"])
    outcome = await outcome_of(gateway, script, stream=stream)
    assert outcome is _RECORDED[name][0]


async def outcome_of(gateway: Gateway, script: Script, *, stream: bool) -> Outcome:
    """How the first attempt ended."""
    async with upstream(script) as provider:
        items = gateway.stream(ask(), [provider.target()])
        try:
            async for item in items:
                if isinstance(item, Attempt):
                    return item.outcome
        except AllTargetsFailed as error:
            return error.attempts[0].outcome
        except GatewayError as error:
            return error.outcome
        finally:
            await items.aclose()
    return Outcome.ANSWERED


@pytest.mark.parametrize("folder", sorted(_DIALECTS))
@pytest.mark.parametrize("what", ["", "tools."])
async def test_recorded_streams_one_byte_at_a_time(
    gateway: Gateway, folder: str, what: str
) -> None:
    """Over a socket, each byte by itself: the answer is that of the stream in one piece."""
    data = (_REPLIES / folder / f"{what}stream.txt").read_bytes()

    async def in_bytes(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        for at in range(len(data)):
            await wire.send(data[at : at + 1])
            await asyncio.sleep(0)

    async def in_one(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(data)

    said = []
    for script in (in_bytes, in_one):
        async with upstream(script) as provider:
            target = provider.target(dialect=_DIALECTS[folder])
            items = [item async for item in gateway.stream(ask(), [target])]
        done = items[-1]
        assert isinstance(done, Completion)
        said.append((done.text, done.reasoning, done.tool_calls, done.usage, done.finish_reason))
    assert said[0] == said[1]
    assert said[0][0] or said[0][2]


async def test_refused_at_home(gateway: Gateway) -> None:
    """Nothing is sent, and each reason has its own name."""
    async with upstream(answers) as provider:
        full = provider.target(limits=parse_limits({"rpd": 0}))
        assert [one.outcome for one in await trail_of(gateway.complete(ask(), [full]))] == [
            Outcome.RATE_LIMITED
        ]
        unset = provider.target(auth="bearer", key=None)
        assert [one.outcome for one in await trail_of(gateway.complete(ask(), [unset]))] == [
            Outcome.NOT_CONFIGURED
        ]
        with pytest.raises(GatewayError) as caught:
            await gateway.complete(ask(cache=CacheMode.ONLY), [provider.target()])
        assert caught.value.outcome is Outcome.NOT_CACHED
        with pytest.raises(GatewayError) as caught:
            await gateway.complete(ask(deadline_s=0), [provider.target()])
        assert caught.value.outcome is Outcome.DEADLINE_PASSED
        assert provider.received == []


async def test_cut_blocked_and_gone(gateway: Gateway) -> None:
    """What no sample shows: a stream that breaks off, a filter's verdict, a model that is gone."""

    async def cuts(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("One"))
        wire.reset()

    async def filters(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event(finish_reason="content_filter") + b"data: [DONE]\n\n")

    gone = refuses(404, {"error": {"message": "The model `m` does not exist"}})
    forbidden = refuses(403, {"error": {"message": "Not with this plan"}})
    found = [
        await outcome_of(gateway, script, stream=True)
        for script in (cuts, filters, gone, forbidden)
    ]
    assert found == [
        Outcome.CUT,
        Outcome.CONTENT_BLOCKED,
        Outcome.MODEL_GONE,
        Outcome.FORBIDDEN,
    ]

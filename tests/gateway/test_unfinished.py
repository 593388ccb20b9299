"""What is told of a call that did not come to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway import keys
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, StreamCut
from gateway.estimate import estimate_prompt_tokens, estimate_tokens
from gateway.events import CallEvent
from gateway.policy import Scope
from gateway.policy.published import Published
from gateway.types import Chunk, Outcome, Target
from tests.gateway.upstream import Received, Wire, ask, event, refuses, upstream

BEGUN = "Once upon a time"
Script = Callable[[Wire, Received], Awaitable[None]]


async def begins(wire: Wire, _: Received) -> None:
    await wire.start_stream()
    await wire.send(event(BEGUN))
    await wire.gone()


async def cuts(wire: Wire, _: Received) -> None:
    await wire.start_stream()
    await wire.send(event(BEGUN))


async def told(gateway: Gateway, redis: Redis) -> CallEvent:
    await gateway.drain()
    entries: Any = await redis.xrange(keys.EVENT_STREAM)
    assert len(entries) == 1
    return CallEvent.from_json(entries[0][1][b"event"])


async def test_a_cancelled_call_tells_what_it_used(gateway: Gateway, redis_client: Redis) -> None:
    """The prompt was read and so much was written: both are estimated, and marked so."""
    request = ask("Tell me a story")
    async with (
        upstream(begins) as provider,
        aclosing(gateway.stream(request, [provider.target()])) as items,
    ):
        async for item in items:
            if isinstance(item, Chunk):
                break
    call = await told(gateway, redis_client)
    assert call.outcome is Outcome.CANCELLED
    assert call.prompt_tokens == estimate_prompt_tokens(request.messages)
    assert call.completion_tokens == estimate_tokens(BEGUN)
    assert call.is_usage_estimated
    assert call.first_token_s is not None


async def test_a_cut_answer_tells_what_it_used(gateway: Gateway, redis_client: Redis) -> None:
    """What came before the cut counts."""
    request = ask("Tell me a story")
    async with upstream(cuts) as provider:
        with pytest.raises(StreamCut):
            async for _ in gateway.stream(request, [provider.target()]):
                pass
    call = await told(gateway, redis_client)
    assert call.outcome is Outcome.CUT
    assert call.prompt_tokens == estimate_prompt_tokens(request.messages)
    assert call.completion_tokens == estimate_tokens(BEGUN)
    assert call.is_usage_estimated


async def test_a_refused_call_used_nothing(gateway: Gateway, redis_client: Redis) -> None:
    """No answer had begun, so nothing is estimated."""
    async with upstream(refuses(403)) as provider:
        with pytest.raises(AllTargetsFailed):
            async for _ in gateway.stream(ask(), [provider.target()]):
                pass
    call = await told(gateway, redis_client)
    assert (call.prompt_tokens, call.completion_tokens) == (0, 0)
    assert not call.is_usage_estimated


async def test_what_another_process_left_can_be_told(gateway: Gateway, redis_client: Redis) -> None:
    """A call whose process was killed is told by whoever finds it."""
    request = ask()
    left = CallEvent(
        call_id=request.call_id, at=1.0, source="playground", owner="user:1",
        outcome=Outcome.CUT, provider="acme", model="m", key_id="none", cached="",
        is_streamed=True, duration_s=2.0, first_token_s=None, prompt_tokens=3,
        completion_tokens=4, is_usage_estimated=True, attempts=(), detail="Cut off.",
    )  # fmt: skip
    await gateway.tell(left)
    assert await told(gateway, redis_client) == left


async def test_a_change_of_the_policy_loses_no_call(redis_url: str) -> None:
    """What streams goes on to its end, by the policy it began with; the next call has the new."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def pauses(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event(BEGUN))
        begun.set()
        await go_on.wait()
        await wire.send(event(" and they lived", finish_reason="stop"))
        await wire.send(b"data: [DONE]\n\n")

    async def forbids_nearly_all() -> Published:
        return Published(1, {Scope(): {"timeouts.stall_s": 0.05, "limits.rpm": 1}})

    async with upstream(pauses) as provider, Gateway.open(redis_url) as gateway:
        call = asyncio.create_task(_streamed(gateway, provider.target()))
        await begun.wait()
        await gateway.publish_policy(forbids_nearly_all)
        async with asyncio.timeout(10):
            while gateway.policy.current().limits.rpm != 1:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.02)
        go_on.set()
        assert await call == f"{BEGUN} and they lived"


async def _streamed(gateway: Gateway, target: Target) -> str:
    items = [item async for item in gateway.stream(ask(), [target])]
    return "".join(item.text for item in items if isinstance(item, Chunk))

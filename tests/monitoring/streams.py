"""Puts events into the stream as the engine does, and waits for what follows from them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from gateway.events import CallEvent
from gateway.keys import EVENT_STREAM

PATIENCE_S = 20.0


async def send(redis: Redis, *events: CallEvent) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for event in events:
            pipe.xadd(EVENT_STREAM, {"event": event.to_json()})
        await pipe.execute()


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as `holds`; fail when it does not within PATIENCE_S."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.02)

"""The one door through which the apps open an engine: wired, so that no call goes unrecorded."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from weakref import WeakKeyDictionary

from django.conf import settings

from gateway.client import Gateway
from gateway.policy import Policy
from gateway.policy.live import LivePolicy
from gateway.store import Store

_serving: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


# Of a Celery worker, whose tasks open an engine each: the policy it holds all the while.
_held: LivePolicy | None = None


@asynccontextmanager
async def serving() -> AsyncIterator[Gateway]:
    """Keep one engine open for the running loop; `engine()` then hands out this one."""
    loop = asyncio.get_running_loop()
    async with _open(f"web {_here()}") as gateway:
        _serving[loop] = gateway
        try:
            yield gateway
        finally:
            del _serving[loop]


@asynccontextmanager
async def engine() -> AsyncIterator[Gateway]:
    """The running loop's engine, or a temporary one where none is being served (Celery tasks)."""
    open_one = _serving.get(asyncio.get_running_loop())
    if open_one is not None:
        yield open_one
        return
    async with _open() as gateway:
        yield gateway


async def policy_now() -> Policy:
    """What holds in this process for what belongs to no provider."""
    async with engine() as gateway:
        return gateway.policy.current()


@asynccontextmanager
async def holding_policy() -> AsyncIterator[None]:
    """Keep this worker's policy up to date; its tasks' engines go by this one."""
    global _held  # noqa: PLW0603 - one per process, as the engine's
    async with Store(settings.REDIS_URL) as store:
        async with LivePolicy(store, process=f"worker {_here()}").watched() as _held:
            try:
                yield
            finally:
                _held = None
        await store.drain()


def _open(process: str = "") -> AbstractAsyncContextManager[Gateway]:
    """On this machine's Redis and disk, which all of its processes share."""
    folder = settings.VAR_DIR / "cache"
    return Gateway.open(
        settings.REDIS_URL,
        policy=_held,
        cache_folder=folder,
        process=process,
        shares_queues=True,
    )


def _here() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"

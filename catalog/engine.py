"""The one door through which the apps open an engine: wired, so that no call goes unrecorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from weakref import WeakKeyDictionary

from django.conf import settings

from gateway.client import Gateway

_serving: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


@asynccontextmanager
async def serving() -> AsyncIterator[Gateway]:
    """Keep one engine open for the running loop; `engine()` then hands out this one."""
    loop = asyncio.get_running_loop()
    async with _open() as gateway:
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


def _open() -> AbstractAsyncContextManager[Gateway]:
    """On this machine's Redis and disk, which all of its processes share."""
    return Gateway.open(settings.REDIS_URL, cache_folder=settings.VAR_DIR / "cache")

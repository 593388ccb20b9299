"""This process has been asked to stop: what never ends by itself ends then, and ends well.

The server waits for open streams before it tells anybody that it stops, and cancels them when it
has waited long enough. So the signal itself is listened to, beside the server's own handler.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from types import FrameType
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_events: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Event] = WeakKeyDictionary()


def closing_event() -> asyncio.Event:
    """Set once the process of the running loop has been asked to stop."""
    return _events.setdefault(asyncio.get_running_loop(), asyncio.Event())


async def until_closing(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """What `items` yields, until this process is asked to stop; `items` is closed at the end."""
    closing = asyncio.ensure_future(closing_event().wait())
    try:
        async with aclosing(items):
            while (coming := await _next(items, closing)) is not None:
                try:
                    item = coming.result()
                except StopAsyncIteration:
                    return
                yield item
    finally:
        closing.cancel()


async def _next(
    items: AsyncGenerator[T, None], closing: asyncio.Task[Literal[True]]
) -> asyncio.Future[T] | None:
    """The next item, or None when `closing` comes first."""
    coming = asyncio.ensure_future(anext(items))
    try:
        await asyncio.wait([coming, closing], return_when=asyncio.FIRST_COMPLETED)
        return coming if coming.done() else None
    finally:
        if not coming.done():  # a generator that still runs could not be closed
            coming.cancel()
            await asyncio.wait([coming])


@asynccontextmanager
async def hearing_of_the_end() -> AsyncIterator[None]:
    """Set the running loop's event as soon as the process is asked to stop."""
    loop, closing = asyncio.get_running_loop(), closing_event()
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                stack.enter_context(
                    _also_on(number, lambda: loop.call_soon_threadsafe(closing.set))
                )
        yield


@contextmanager
def _also_on(number: signal.Signals, tell: Callable[[], object]) -> Iterator[None]:
    servers = signal.getsignal(number)
    if not callable(servers):  # the server listens in a way of its own
        yield
        return

    def handle(received: int, frame: FrameType | None) -> None:
        tell()
        servers(received, frame)

    signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, servers)

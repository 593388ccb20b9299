"""The last five minutes, kept by one reader per process for any number of viewers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import Any

from django.conf import settings
from django.http import QueryDict
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.events import CallEvent
from gateway.keys import EVENT_STREAM
from monitoring.board import Board
from monitoring.limits.refusals import Refusals
from monitoring.ranges import LIVE
from monitoring.sampling import Told
from monitoring.subjects import Kind, Subject, asked_kind, asked_subject
from monitoring.traffic import Traffic

logger = logging.getLogger(__name__)

TICK_S = 1.0
READ_COUNT = 250  # a few milliseconds of work, then others have their turn
LONGEST_PAUSE_S = 5.0

_MALFORMED = (ValueError, TypeError, KeyError, AttributeError)


class Live:
    """Reads the event stream into a board and wakes the viewers about once a second."""

    def __init__(self, redis_url: str) -> None:
        self.board = Board()
        self.refusals = Refusals()
        self.is_connected = False
        self.version = 0  # grows with every tick on which the picture changed
        self._told = Told()
        self._redis_url = redis_url
        self._ticked = asyncio.Condition()
        self._is_dirty = False
        self._is_stopping = False
        self._clock_offset_s = 0.0  # Redis' clock against ours: entries are dated by Redis

    def now_s(self) -> float:
        return time.time() + self._clock_offset_s

    def stop(self) -> None:
        """End `run` within a tick, also where redis-py loses a cancellation while connecting."""
        self._is_stopping = True

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_for_ever(), name="live reader")
            tasks.create_task(self._tick_for_ever(), name="live ticker")

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """The newest version, at once when it is not `seen`; else after a change or `timeout_s`.

        A viewer that was slow finds only the newest picture: nothing queues up for it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._ticked:
                await self._ticked.wait_for(lambda: self.version != seen)
        return self.version

    def viewed(self) -> AbstractContextManager[None]:
        """The stream is read whether anybody looks or not."""
        return nullcontext()

    def state(self, asked: QueryDict) -> str:
        """What the page of traffic is told, as JSON; `asked` may name a subject."""
        subject, by = asked_subject(asked), asked_kind(asked)
        return self._told.text(self.version, f"{subject} {by}", lambda: self._state(subject, by))

    def traffic(self, subject: Subject, by: Kind) -> Traffic:
        now_s = self.now_s()
        rate = self.board.calls_per_s(now_s, subject)
        return Traffic(LIVE, self.board.picture(now_s, subject, by), subject, by, rate)

    def _state(self, subject: Subject, by: Kind) -> dict[str, Any]:
        return {**self.traffic(subject, by).state(), "is_connected": self.is_connected}

    async def _read_for_ever(self) -> None:
        last_id = ""
        pause_s = 0.1
        while not self._is_stopping:
            try:
                async with self._open() as redis:
                    last_id = last_id or await self._window_start(redis)
                    self._set_connected(True)
                    pause_s = 0.1
                    while not self._is_stopping:
                        last_id = await self._read(redis, last_id)
            except (RedisError, OSError) as error:
                if self.is_connected:
                    logger.warning("The live reader lost Redis, trying again: %s", error)
                self._set_connected(False)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _open(self) -> Redis:
        return Redis.from_url(self._redis_url, socket_timeout=TICK_S + 5, socket_connect_timeout=1)

    async def _window_start(self, redis: Redis) -> str:
        """Where the stream stood five minutes ago: a new process begins with the same picture."""
        seconds, microseconds = await redis.time()
        redis_now_s = seconds + microseconds / 1_000_000
        self._clock_offset_s = redis_now_s - time.time()
        return f"{int((redis_now_s - LIVE.span_s) * 1_000)}-0"

    async def _read(self, redis: Redis, last_id: str) -> str:
        answer: Any = await redis.xread(
            {EVENT_STREAM: last_id}, count=READ_COUNT, block=int(TICK_S * 1_000)
        )
        if not answer:
            return last_id
        entries = answer[0][1]
        for entry_id, fields in entries:
            self._add(entry_id, fields)
        return str(entries[-1][0].decode())

    def _add(self, entry_id: bytes, fields: dict[bytes, bytes]) -> None:
        try:
            event = CallEvent.from_json(fields[b"event"])
            self.board.add(event, int(entry_id.split(b"-")[0]) // 1_000)
            self.refusals.add(event)
        except _MALFORMED:
            return  # the recorder counts and logs it
        self._is_dirty = True

    def _set_connected(self, is_connected: bool) -> None:
        self._is_dirty |= is_connected != self.is_connected
        self.is_connected = is_connected

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            # The picture also changes by time alone, as long as there is anything to move.
            moved = not self.board.is_empty
            self.board.forget_before(int(self.now_s()) - LIVE.span_s)
            if self._is_dirty or moved:
                self._is_dirty = False
                async with self._ticked:
                    self.version += 1
                    self._ticked.notify_all()


_current: Live | None = None


def current() -> Live | None:
    """The reader of this process; None where no lifespan runs (tests, management commands)."""
    return _current


@asynccontextmanager
async def reading() -> AsyncIterator[Live]:
    """Keep this process' reader running for as long as the web process lives."""
    global _current  # noqa: PLW0603 - one reader per process is the point
    live = Live(settings.REDIS_URL)
    task = asyncio.create_task(live.run(), name="live")
    _current = live
    try:
        yield live
    finally:
        _current = None
        live.stop()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

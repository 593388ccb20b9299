"""The last five minutes, kept by one reader per process for any number of viewers."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from threading import Lock
from typing import Any

from django.conf import settings
from django.http import QueryDict
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.events import CallEvent
from gateway.keys import EVENT_STREAM
from gateway.types import Outcome
from monitoring.ranges import LIVE
from monitoring.records import course_of, throttled_count
from monitoring.sampling import Told
from monitoring.series import Picture, Step, Timing, tokens_per_s
from monitoring.traffic import Traffic

logger = logging.getLogger(__name__)

TICK_S = 1.0
READ_COUNT = 1_000
LONGEST_PAUSE_S = 5.0
TIMINGS_PER_SECOND = 50  # per provider; beyond that a fair sample, so that memory stays bounded

_MALFORMED = (ValueError, TypeError, KeyError, AttributeError)


class Board:
    """Counters per second and provider. Safe to add to in one thread and read in another."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seconds: dict[int, dict[str, Step]] = {}
        self._random = random.Random(0)  # noqa: S311 - a sample, no secret

    def add(self, event: CallEvent, at_s: int) -> None:
        with self._lock:
            step = self._seconds.setdefault(at_s, {}).setdefault(event.provider, Step())
            course = course_of(event)
            step.courses[course] = step.courses.get(course, 0) + 1
            step.throttled += throttled_count(event)
            step.prompt_tokens += event.prompt_tokens
            step.completion_tokens += event.completion_tokens
            if event.outcome is Outcome.ANSWERED and not event.cached:
                self._time(step, _timing(event))

    def _time(self, step: Step, timing: Timing) -> None:
        if len(step.timings) < TIMINGS_PER_SECOND:
            step.timings.append(timing)
            return
        place = self._random.randrange(step.calls)
        if place < TIMINGS_PER_SECOND:
            step.timings[place] = timing

    def forget_before(self, at_s: int) -> None:
        with self._lock:
            for second in [second for second in self._seconds if second < at_s]:
                del self._seconds[second]

    @property
    def is_empty(self) -> bool:
        return not self._seconds

    def picture(self, now_s: float) -> Picture:
        """The last five minutes in whole steps, ending with the one `now_s` lies in."""
        first_s = LIVE.first_s(now_s)
        by_provider: dict[str, list[Step]] = {}
        with self._lock:
            for second, steps in self._seconds.items():
                number = (second - first_s) // LIVE.step_s
                if not 0 <= number < LIVE.length:
                    continue
                for name, step in steps.items():
                    row = by_provider.setdefault(name, [Step() for _ in range(LIVE.length)])
                    row[number].merge(step)
        return Picture(LIVE.step_s, first_s, by_provider, LIVE.length)

    def calls_per_s(self, now_s: float, over_s: int = 10, provider: str = "") -> float:
        """Over the last whole seconds, the running one left out."""
        last_s = int(now_s)
        with self._lock:
            calls = sum(
                step.calls
                for second in range(last_s - over_s, last_s)
                for name, step in self._seconds.get(second, {}).items()
                if provider in ("", name)
            )
        return calls / over_s


def _timing(event: CallEvent) -> Timing:
    speed = tokens_per_s(event.completion_tokens, event.duration_s, event.first_token_s)
    return Timing(event.duration_s, event.first_token_s, speed)


class Live:
    """Reads the event stream into a board and wakes the viewers about once a second."""

    def __init__(self, redis_url: str) -> None:
        self.board = Board()
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
        """What the page of traffic is told, as JSON; `asked` may name a provider."""
        provider = asked.get("provider", "")
        return self._told.text(self.version, provider, lambda: self._state(provider))

    def _state(self, provider: str) -> dict[str, Any]:
        now_s = self.now_s()
        rate = self.board.calls_per_s(now_s, provider=provider)
        shown = Traffic(LIVE, self.board.picture(now_s), provider, rate)
        return {**shown.state(), "is_connected": self.is_connected}

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

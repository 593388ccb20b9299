"""The event stream into the database: at least once, and each call exactly one row, counted once.

Every recorder is a consumer of the group `recorder`; any number of them share the work. An entry is
acknowledged after its row is committed; what a killed process left unacknowledged is claimed by
another one after `RECLAIM_IDLE_S`. Two writing the same call end in one row, by `call_id`
(`keeping`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from catalog.refused import hear_attempts
from gateway.events import CallEvent
from gateway.keys import EVENT_STREAM
from monitoring.keeping import keep
from monitoring.models import CallRecord
from monitoring.records import record_of

logger = logging.getLogger(__name__)

GROUP = "recorder"
BATCH = 5_000  # where many wait: what calls have in common is then written once for all of them
BLOCK_MS = 1_000
GATHER_S = 0.3  # how long a small batch waits for company: few transactions, rows within a second
RECLAIM_EVERY_S = 15.0
RECLAIM_IDLE_S = 30.0
FORGET_CONSUMER_AFTER_S = 3_600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
FLUSH_S = 3.0  # the supervisor gives a process five seconds to end

Entry = tuple[bytes, dict[bytes, bytes]]

# What a text that is no CallEvent raises while it is read or turned into a row.
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


@asynccontextmanager
async def recording() -> AsyncIterator[None]:
    """Record calls for as long as the block runs; at its end, write what has arrived."""
    recorder = Recorder(settings.REDIS_URL)
    task = asyncio.create_task(recorder.run(), name="recorder")
    try:
        yield
    finally:
        recorder.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(task, FLUSH_S)
        await recorder.aclose()


@dataclass
class Recorder:
    """One consumer of the group. `run` returns after `stop`, once the stream is read empty."""

    redis_url: str
    reclaim_idle_s: float = RECLAIM_IDLE_S
    forget_consumer_after_s: float = FORGET_CONSUMER_AFTER_S
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    written: int = 0  # rows handed to the database, doubles included
    malformed: int = 0

    def __post_init__(self) -> None:
        # Longer than BLOCK_MS, or every quiet second would look like a broken connection.
        self._redis = Redis.from_url(
            self.redis_url, socket_timeout=BLOCK_MS / 1_000 + 5, socket_connect_timeout=1
        )
        # A thread of its own: the database connection lives in it, and no request waits for it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._stopping = asyncio.Event()
        self._reclaim_at = 0.0
        self._pause_s = FIRST_PAUSE_S

    def stop(self) -> None:
        self._stopping.set()

    async def aclose(self) -> None:
        with suppress(TimeoutError):  # the thread may still wait for a locked database
            await asyncio.wait_for(self._in_thread(_close_connection), 1)
        self._thread.shutdown(wait=False)
        await self._redis.aclose()

    async def run(self) -> None:
        while True:
            try:
                await self._ensure_group()
                await self._consume()
            except (RedisError, OSError) as error:
                logger.warning("The recorder cannot read Redis, trying again: %s", error)
            except Exception:
                logger.exception("The recorder stumbled, going on")
            if self._stopping.is_set():
                return
            await self._pause(self._pause_s)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    async def _consume(self) -> None:
        while True:
            await self._reclaim_when_due()
            entries = await self._read(BATCH, block=not self._stopping.is_set())
            self._pause_s = FIRST_PAUSE_S
            if not entries and self._stopping.is_set():
                return
            if entries and len(entries) < BATCH and not self._stopping.is_set():
                await self._pause(GATHER_S)
                entries += await self._read(BATCH - len(entries), block=False)
            await self._keep(entries)

    async def _read(self, count: int, *, block: bool) -> list[Entry]:
        answer: Any = await self._redis.xreadgroup(
            GROUP, self.name, {EVENT_STREAM: ">"}, count=count, block=BLOCK_MS if block else None
        )
        return list(answer[0][1]) if answer else []

    async def _keep(self, entries: Sequence[Entry]) -> None:
        """Write the rows, then acknowledge; when the process dies between, the row stays one."""
        if not entries:
            return
        records = [record for entry in entries if (record := self._record(entry)) is not None]
        if await self._write(records):
            attempts = [one for record in records for one in record.attempts]
            await self._in_thread(lambda: hear_attempts(attempts))
            await self._redis.xack(EVENT_STREAM, GROUP, *(entry_id for entry_id, _ in entries))

    def _record(self, entry: Entry) -> CallRecord | None:
        entry_id, fields = entry
        try:
            return record_of(CallEvent.from_json(fields[b"event"]))
        except _MALFORMED as error:
            self._drop(entry_id.decode(), error)
            return None

    def _drop(self, what: str, error: Exception) -> None:
        self.malformed += 1
        # Only the kind of the error: its text may repeat the content.
        logger.error("Dropped the event %s: %s", what, type(error).__name__)

    async def _write(self, records: list[CallRecord]) -> bool:
        """Whether the rows are committed; False only when stopping with the database locked."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._in_thread(lambda: self._insert(records))
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database does not take calls now, trying again: %s", error)
                await self._in_thread(_close_connection)
                if self._stopping.is_set():
                    return False
                await self._pause(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                self.written += len(records)
                return True

    def _insert(self, records: list[CallRecord]) -> None:
        try:
            keep(records)
        except (OperationalError, InterfaceError):
            raise
        except (DatabaseError, *_MALFORMED):
            self._insert_one_by_one(records)

    def _insert_one_by_one(self, records: list[CallRecord]) -> None:
        """One row the database refuses must not hold back the others."""
        for record in records:
            try:
                keep([record])
            except (OperationalError, InterfaceError):
                raise
            except (DatabaseError, *_MALFORMED) as error:
                self._drop(record.call_id, error)

    async def _reclaim_when_due(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._reclaim_at:
            return
        self._reclaim_at = now + RECLAIM_EVERY_S
        await self._reclaim()
        await self._forget_old_consumers()

    async def _reclaim(self) -> None:
        """Take over what other consumers read long ago and never acknowledged."""
        idle_ms = int(self.reclaim_idle_s * 1_000)
        cursor = b"0-0"
        while True:
            cursor, entries, *_ = await self._redis.xautoclaim(
                EVENT_STREAM, GROUP, self.name, idle_ms, cursor, BATCH
            )
            await self._keep(entries)
            if cursor == b"0-0":
                return

    async def _forget_old_consumers(self) -> None:
        """Each process leaves a name in the group; without this they pile up for ever."""
        for consumer in await self._redis.xinfo_consumers(EVENT_STREAM, GROUP):
            is_old = consumer["idle"] >= self.forget_consumer_after_s * 1_000
            if is_old and not consumer["pending"]:
                await self._redis.xgroup_delconsumer(EVENT_STREAM, GROUP, consumer["name"])

    async def _ensure_group(self) -> None:
        try:
            await self._redis.xgroup_create(EVENT_STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _close_connection() -> None:
    connection.close()  # looked up here, because each thread has its own

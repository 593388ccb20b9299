"""The second tier: one SQLite file per machine, shared by its processes, bounded in bytes.

SQLite rather than a file per entry, because it evicts by one query, survives a process that dies
while it writes, and serves several processes; rather than the diskcache package, because that one
reads pickles. Everything happens in two threads of its own (one reads, one writes), so that a slow
disk holds up nobody's event loop. What goes wrong here is a miss.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from gateway.cache.entries import Amount, Entry
from gateway.cache.memory import Name

logger = logging.getLogger(__name__)

_FILE = "cache-2.sqlite3"  # another number for another form of the tables
_SCHEMA = files("gateway").joinpath("cache/disk.sql").read_text()
_PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # before the first table
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",  # it may be lost at any time, harmlessly
    "PRAGMA journal_size_limit = 4000000",
)
_BUSY_S = 1.0
_ROOM_AFTER_EVICTION = 0.9  # of the bound, so that not every write has to evict
_GATHERED_S = 0.05
_REST_S = 5.0  # after a failure

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Write:
    """An entry to be put down, and for how long."""

    name: Name
    entry: Entry
    for_s: float


class Disk:
    """Without a folder it is always empty. Its connections are opened when first needed."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._reader = _Thread(folder, "cache-reader")
        self._writer = _Thread(folder, "cache-writer")
        self._waiting: dict[Name, Write] = {}
        self._underway: dict[Name, Write] = {}
        self._hurry = asyncio.Event()
        self._used: set[Name] = set()
        self._writing: asyncio.Future[None] | None = None
        self.evicted: dict[str, int] = {}

    async def find(self, names: Sequence[Name]) -> list[Entry | None]:
        if self._folder is None:
            return [None] * len(names)
        if any(one in self._waiting or one in self._underway for one in names):
            await self.drain()
        found = await self._reader.run(lambda db: [_read(db, one) for one in names])
        return found or [None] * len(names)

    def note_use(self, name: Name) -> None:
        """Told to the file with the next write; so eviction goes by use, roughly."""
        self._used.add(name)

    def keep(self, write: Write, max_bytes: int) -> None:
        """Soon; writes of about the same moment go down together, which costs a part of it."""
        if self._folder is None or max_bytes == 0 or write.for_s <= 0:
            return
        self._waiting[write.name] = write
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write_all(max_bytes))

    async def drop(self, names: Iterable[Name]) -> None:
        """Forget these; also those that are still to be written."""
        gone = set(names)
        self._waiting = {name: one for name, one in self._waiting.items() if name not in gone}
        if self._folder is not None:
            await self._writer.run(lambda db: _delete(db, gone))

    async def sweep(self, is_void: Callable[[Name, Entry], bool]) -> int:
        """Forget what is void, so that it does not lie around until its time is over; how many."""
        if self._folder is None:
            return 0
        return await self._writer.run(lambda db: _sweep(db, is_void)) or 0

    async def amounts(self) -> dict[str, Amount]:
        """By kind."""
        if self._folder is None:
            return {}
        await self.drain()
        query = "SELECT kind, count(*), total(length(data)) FROM entries GROUP BY kind"
        rows = await self._reader.run(lambda db: db.execute(query).fetchall())
        return {kind: Amount(count, int(size)) for kind, count, size in rows or ()}

    def take_evicted(self) -> dict[str, int]:
        taken, self.evicted = self.evicted, {}
        return taken

    async def drain(self) -> None:
        self._hurry.set()
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])

    async def close(self) -> None:
        await self.drain()
        await self._reader.close()
        await self._writer.close()

    async def _write_all(self, max_bytes: int) -> None:
        self._hurry.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), _GATHERED_S)
        while self._waiting:
            self._underway, self._waiting = self._waiting, {}
            used, self._used = self._used, set()
            batch = list(self._underway.values())
            evicted = await self._writer.run(partial(_put, batch, used, max_bytes))
            self._underway = {}
            for kind, count in (evicted or {}).items():
                self.evicted[kind] = self.evicted.get(kind, 0) + count


class _Thread:
    """One thread with one connection. A file that is broken is thrown away and begun anew."""

    def __init__(self, folder: Path | None, name: str) -> None:
        self._folder = folder
        self._executor = ThreadPoolExecutor(1, name)
        self._connection: sqlite3.Connection | None = None
        self._rests_until = 0.0

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """None where the disk does not let us."""
        if time.monotonic() < self._rests_until:
            return None
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._do, work)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._hang_up)
        self._executor.shutdown(wait=False)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            if self._connection is None:
                self._connection = _open(self._folder or Path())
            with self._connection as transaction:
                return work(transaction)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return None

    def _failed(self, error: Exception) -> None:
        logger.warning("The disk cache rests: %s", error)
        self._rests_until = time.monotonic() + _REST_S
        self._hang_up()
        if type(error) is sqlite3.DatabaseError and self._folder is not None:  # not a database
            with suppress(OSError):
                for path in self._folder.glob(f"{_FILE}*"):
                    path.unlink()
            self._rests_until = 0.0

    def _hang_up(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _open(folder: Path) -> sqlite3.Connection:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sqlite3.connect(folder / _FILE, timeout=_BUSY_S, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            db.execute(pragma)
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _read(db: sqlite3.Connection, name: Name) -> Entry | None:
    query = "SELECT data FROM entries WHERE kind = ? AND name = ? AND leaves_at > ?"
    row = db.execute(query, (*name, time.time())).fetchone()
    return Entry.unpack(row[0]) if row else None


def _put(
    writes: Sequence[Write], used: set[Name], max_bytes: int, db: sqlite3.Connection
) -> dict[str, int]:
    """Write, then make room; what was evicted, by kind."""
    now = time.time()
    db.executemany(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "leaves_at = excluded.leaves_at, used_at = excluded.used_at, "
        "head = excluded.head, data = excluded.data",
        [(*one.name, now + one.for_s, now, one.entry.head(), one.entry.pack()) for one in writes],
    )
    touch = "UPDATE entries SET used_at = ? WHERE kind = ? AND name = ?"
    db.executemany(touch, [(now, *name) for name in used])
    if _bytes(db) <= max_bytes:
        return {}
    db.execute("DELETE FROM entries WHERE leaves_at <= ?", (now,))
    evicted = _evict(db, int(max_bytes * _ROOM_AFTER_EVICTION))
    db.commit()
    db.execute("PRAGMA incremental_vacuum").fetchall()  # gives the pages back to the disk
    return evicted


def _evict(db: sqlite3.Connection, max_bytes: int) -> dict[str, int]:
    """The least recently used ones, a twentieth at a time, until the rest has room."""
    evicted: dict[str, int] = {}
    while _bytes(db) > max_bytes and (left := _one(db, "SELECT count(*) FROM entries")):
        oldest = "SELECT rowid, kind FROM entries ORDER BY used_at LIMIT ?"
        gone = db.execute(oldest, (math.ceil(left / 20),)).fetchall()
        db.executemany("DELETE FROM entries WHERE rowid = ?", [(rowid,) for rowid, _ in gone])
        for _, kind in gone:
            evicted[kind] = evicted.get(kind, 0) + 1
    return evicted


def _delete(db: sqlite3.Connection, names: Iterable[Name]) -> None:
    db.executemany("DELETE FROM entries WHERE kind = ? AND name = ?", list(names))


def _sweep(db: sqlite3.Connection, is_void: Callable[[Name, Entry], bool]) -> int:
    gone = []
    for kind, name, head in db.execute("SELECT kind, name, head FROM entries"):
        entry = Entry.unpack(head)
        if entry is None or is_void((kind, name), entry):
            gone.append((kind, name))
    _delete(db, gone)
    return len(gone)


def _bytes(db: sqlite3.Connection) -> int:
    """What the file holds; pages that are free do not count, they are used again."""
    pages = _one(db, "PRAGMA page_count") - _one(db, "PRAGMA freelist_count")
    return pages * _one(db, "PRAGMA page_size")


def _one(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])

"""What lies in the shared tier, for who looks after it: listed in pieces, opened, cleared.

Redis is walked by SCAN in bounded steps; nothing here ever asks for all keys at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway import keys
from gateway.cache.entries import Amount, Entry
from gateway.cache.kinds import KINDS, Kind
from gateway.cache.memory import Name
from gateway.cache.voids import Voids
from gateway.store import Command, Store, StoreAwayError

_STEP = 200  # keys that Redis looks at in one go: well below a millisecond
_MOST_STEPS = 100  # of one page: 20 000 keys
_HEAD_BYTES = 4096  # a head is as long as its tags
_SEARCHED_BYTES = 65_536
_ALL_BYTES = 1 << 30
_CLEAR_WITHIN_S = 3.0  # what is void gives nobody an answer; the rest leaves by its time


@dataclass(frozen=True, slots=True)
class Kept:
    """One entry; `entry` is cut after its head in a list. `leaves_in_s` None: never by itself."""

    kind: str
    name: str
    size: int
    leaves_in_s: float | None
    entry: Entry


@dataclass(frozen=True, slots=True)
class Page:
    """`cursor` is where to go on; empty at the end."""

    entries: tuple[Kept, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Stock:
    """How much of each kind there is; `is_whole` is False where there was more than was counted."""

    by_kind: dict[str, Amount] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Room:
    """The memory of all that lies in Redis, not of the cache alone; `most_bytes` 0: no bound.

    `evicted` is what Redis has thrown out for want of room since it was started.
    """

    used_bytes: int
    most_bytes: int
    evicted: int


class Shelf:
    """Every method raises StoreAwayError while Redis is away."""

    def __init__(self, store: Store, voids: Voids) -> None:
        self._store = store
        self._voids = voids

    async def page(
        self, kind: str, cursor: str = "", *, at_least: int = 50, text: str = ""
    ) -> Page:
        """Entries of a kind in no order, those with `text` in tags or value where it is given."""
        found: list[Kept] = []
        at, steps = cursor or "0", 0
        while steps < _MOST_STEPS:
            at, names = await self._step(at, kind)
            steps += 1
            opened = await self._opened(names, _SEARCHED_BYTES if text else _HEAD_BYTES)
            found += [_without_value(one) for one in opened if _has(one, text)]
            if at == "0" or len(found) >= at_least:
                break
        return Page(tuple(found), "" if at == "0" else at)

    async def one(self, kind: str, name: str) -> Kept | None:
        """With its value."""
        opened = await self._opened([(kind, name)], _ALL_BYTES)
        return opened[0] if opened else None

    async def stock(self) -> Stock:
        """Counted by looking at 20 000 keys at most; what is void is counted until it is gone."""
        by_kind: dict[str, Amount] = {}
        at = "0"
        for _ in range(_MOST_STEPS):
            at, names = await self._step(at)
            sizes = await self._ask([("STRLEN", keys.cached(*one)) for one in names])
            for (kind, _name), size in zip(names, sizes, strict=True):
                by_kind[kind] = by_kind.get(kind, Amount()).plus(int(size))
            if at == "0":
                break
        return Stock(by_kind, is_whole=at == "0")

    async def room(self) -> Room:
        replies = await self._ask([("INFO", "memory"), ("INFO", "stats")])
        lines = b"".join(replies).decode().splitlines()
        told = dict(line.split(":", 1) for line in lines if ":" in line)
        names = ("used_memory", "maxmemory", "evicted_keys")
        return Room(*(int(told.get(name, 0)) for name in names))

    async def clear(self, kinds: Iterable[str]) -> int:
        """Remove what is void of these kinds, for a few seconds at most; how many went."""
        gone = 0
        until = time.monotonic() + _CLEAR_WITHIN_S
        for kind in kinds:
            at = ""
            while at != "0" and time.monotonic() < until:
                at, names = await self._step(at or "0", kind)
                lying = await self._lying(names, _HEAD_BYTES)
                void = [one for one in lying if self._is_void(one)]
                if void:
                    named = (keys.cached(one.kind, one.name) for one in void)
                    gone += int((await self._ask([("UNLINK", *named)]))[0])
        return gone

    async def _step(self, cursor: str, kind: str = "*") -> tuple[str, list[Name]]:
        scan: Command = ("SCAN", cursor, "MATCH", keys.cached(kind, "*"), "COUNT", _STEP)
        ((at, found),) = await self._ask([scan])
        names = [_name_of(key.decode()) for key in found]
        return at.decode(), [one for one in names if one is not None]

    async def _opened(self, names: Sequence[Name], most_bytes: int) -> list[Kept]:
        await self._voids.look()
        return [one for one in await self._lying(names, most_bytes) if not self._is_void(one)]

    async def _lying(self, names: Sequence[Name], most_bytes: int) -> list[Kept]:
        """What lies there, void or not; it may have left since its name was seen."""
        commands: list[Command] = []
        for one in names:
            key = keys.cached(*one)
            commands += [("GETRANGE", key, 0, most_bytes - 1), ("STRLEN", key), ("PTTL", key)]
        replies = await self._ask(commands)
        found = []
        for number, (kind, name) in enumerate(names):
            packed, size, ttl_ms = replies[3 * number : 3 * number + 3]
            entry = Entry.unpack(packed)
            if entry is not None:
                leaves_in_s = ttl_ms / 1000 if ttl_ms >= 0 else None
                found.append(Kept(kind, name, int(size), leaves_in_s, entry))
        return found

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        if self._store.is_degraded:
            raise StoreAwayError
        return await self._store.ask(*commands) if commands else []

    def _is_void(self, kept: Kept) -> bool:
        return self._voids.is_void((kept.kind, kept.name), kept.entry)


_KNOWN = {one.name: one for one in KINDS}


def kind_of(name: str) -> Kind[Any] | None:
    return _KNOWN.get(name)


def _name_of(key: str) -> Name | None:
    """None for the cache's own counters and marks, which begin alike."""
    *_, kind, name = key.split(":")
    return (kind, name) if kind in _KNOWN and key == keys.cached(kind, name) else None


def _has(kept: Kept, text: str) -> bool:
    said = [*kept.entry.tags, kept.entry.payload.decode(errors="replace")] if text else [""]
    return any(text.casefold() in one.casefold() for one in said)


def _without_value(kept: Kept) -> Kept:
    return replace(kept, entry=replace(kept.entry, payload=b""))

"""Invalidation by key, kind and tag that holds in every process within half a second.

Nothing is searched and deleted: a mark gets a number, and whatever was made before it and bears the
mark is void wherever it lies, also what another process was just making. The numbers are Redis'
time, so they grow even when Redis has lost all of them. A process looks for new ones when it is
about to use what it has, at most twice a second; who keeps nothing asks nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from gateway import keys
from gateway.cache.entries import Entry
from gateway.cache.memory import Name
from gateway.store import Command, Script, Store, StoreAwayError

_VOID = Script("cache/lua/void.lua")
_LOOK_AGAIN_S = 0.5
_MOST_MARKS = 10_000
_NEWEST, _ALL = "newest", "all"


def kind_mark(kind: str) -> str:
    return f"kind:{kind}"


def tag_mark(tag: str) -> str:
    return f"tag:{tag}"


def name_mark(name: Name) -> str:
    return "name:" + ":".join(name)


class Voids:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers: dict[str, int] = {}
        self._heard = 0  # up to this number all that others made void is known
        self._looked_at = float("-inf")
        self._untold: set[str] = set()
        store.when_back(self._tell)

    @property
    def stamp(self) -> int:
        """For what begins to be made now."""
        return self._numbers.get(_NEWEST, 0)

    def is_void(self, name: Name, entry: Entry) -> bool:
        if not self._numbers:
            return False
        marks = (_ALL, kind_mark(name[0]), name_mark(name), *map(tag_mark, entry.tags))
        return any(self._numbers.get(mark, 0) > entry.stamp for mark in marks)

    async def look(self) -> bool:
        """Hear of what others made void, unless that was done just now; whether there was any."""
        if self._store.is_degraded or time.monotonic() - self._looked_at < _LOOK_AGAIN_S:
            return False
        try:
            (reply,) = await self._store.ask(self.question())
            return await self.hear(reply)
        except StoreAwayError:
            return False

    @staticmethod
    def question() -> Command:
        """What to ask Redis; its reply is for `hear`."""
        return ("HGET", keys.CACHE_VOIDS, _NEWEST)

    async def hear(self, reply: Any) -> bool:
        """Whether others made something void since; raises StoreAwayError."""
        self._looked_at = time.monotonic()
        if int(reply or 0) <= self._heard:
            return False
        (flat,) = await self._store.ask(("HGETALL", keys.CACHE_VOIDS))
        said = {
            str(mark, "utf-8", "replace"): int(number)
            for mark, number in zip(flat[::2], flat[1::2], strict=True)
        }
        # What Redis has forgotten, or was not told yet, still holds; `all` makes it superfluous.
        known = {mark: self._numbers[mark] for mark in self._untold & self._numbers.keys()}
        self._numbers = {**(known if _ALL in said else self._numbers), **said}
        self._heard = said.get(_NEWEST, 0)
        return True

    async def add(self, marks: Sequence[str]) -> None:
        """Here at once; everywhere else within half a second, or when Redis is back."""
        self._note(marks, max(self.stamp + 1, time.time_ns() // 1000))
        self._untold.update(marks)
        await self._tell()

    async def _tell(self) -> None:
        marks = tuple(self._untold)
        if not marks:
            return
        args: tuple[str | float, ...] = (_MOST_MARKS, keys.CACHE_VOIDS_TTL_S, *marks)
        try:
            number = int(await self._store.run(_VOID, [keys.CACHE_VOIDS], args))
        except StoreAwayError:
            return
        self._untold.difference_update(marks)
        self._note(marks, number)

    def _note(self, marks: Iterable[str], number: int) -> None:
        self._numbers.update(dict.fromkeys((*marks, _NEWEST), number))

"""The first tier: this process' own memory, bounded in bytes; the least used goes first."""

from __future__ import annotations

import time
from collections.abc import Callable

from cachetools import TLRUCache

from gateway.cache.entries import Amount, Entry

_OVERHEAD_BYTES = 500  # name, links and objects around an entry, measured roughly

Name = tuple[str, str]  # kind, digest of the key


class Memory(TLRUCache[Name, tuple[Entry, float]]):
    """Entries with the moment (monotonic) at which each leaves."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, _leaves_at, time.monotonic, getsizeof=_size)
        self.evicted: dict[str, int] = {}  # by kind, since the last `take_evicted`

    def find(self, name: Name) -> Entry | None:
        kept = self.get(name)
        return None if kept is None else kept[0]

    def keep(self, name: Name, entry: Entry, for_s: float) -> None:
        kept = (entry, self.timer() + for_s)
        if for_s > 0 and _size(kept) <= self.maxsize:
            self[name] = kept
        else:
            self.drop(name)

    def drop(self, name: Name) -> None:
        self.pop(name, None)

    def popitem(self) -> tuple[Name, tuple[Entry, float]]:
        """Called where room is needed for another."""
        name, kept = super().popitem()
        self.evicted[name[0]] = self.evicted.get(name[0], 0) + 1
        return name, kept

    def take_evicted(self) -> dict[str, int]:
        taken, self.evicted = self.evicted, {}
        return taken

    def drop_void(self, is_void: Callable[[Name, Entry], bool]) -> None:
        for name in [name for name, (entry, _) in self.items() if is_void(name, entry)]:
            self.drop(name)

    def amounts(self) -> dict[str, Amount]:
        """By kind."""
        sums: dict[str, Amount] = {}
        for (kind, _), kept in list(self.items()):
            sums[kind] = sums.get(kind, Amount()).plus(_size(kept))
        return sums


def _leaves_at(_: Name, kept: tuple[Entry, float], __: float) -> float:
    return kept[1]


def _size(kept: tuple[Entry, float]) -> int:
    return kept[0].size + _OVERHEAD_BYTES

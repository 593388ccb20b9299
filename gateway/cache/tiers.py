"""Memory, then disk, then Redis: what is found further out moves into the nearer tiers.

A tier gives nothing that is void, past all use, or of another version of its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import keys
from gateway.cache.counts import Counts
from gateway.cache.disk import Disk, Write
from gateway.cache.entries import Amount, Entry
from gateway.cache.kinds import Kind
from gateway.cache.memory import Memory, Name
from gateway.cache.shelf import Shelf
from gateway.cache.voids import Voids, kind_mark, name_mark, tag_mark
from gateway.clock import Clock
from gateway.policy import Lifetime, Policy, PolicySource
from gateway.store import Store, StoreAwayError

MEMORY, DISK, REDIS = "memory", "disk", "redis"


@dataclass(frozen=True, slots=True)
class Found:
    """The `index`th of the names asked for, and the tier that had it."""

    index: int
    entry: Entry
    tier: str
    age_s: float


class Tiers:
    def __init__(
        self, store: Store, policy: PolicySource, clock: Clock, folder: Path | None
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._memory = Memory(policy.current().cache.memory_bytes)
        self._disk = Disk(folder)
        self._voids = Voids(store)
        self.shelf = Shelf(store, self._voids)
        self.counts = Counts(store, clock, self._take_evicted)

    async def near(self, kind: Kind[Any], names: Sequence[str]) -> Found | None:
        """From memory or disk: the first of `names` that is there."""
        lifetime = self._policy.current().lifetimes.of(kind.name)
        if await self._voids.look():
            await self._disk.sweep(self._voids.is_void)
        entries = [self._memory.find((kind.name, one)) for one in names]
        if found := self._first(kind, names, entries, MEMORY, lifetime):
            return found
        if kind.is_secret or lifetime.disk_s <= 0:
            return None
        entries = await self._disk.find([(kind.name, one) for one in names])
        found = self._first(kind, names, entries, DISK, lifetime)
        if found is not None:
            self._disk.note_use((kind.name, names[found.index]))
            self._remember((kind.name, names[found.index]), found, lifetime)
        return found

    async def far(self, kind: Kind[Any], names: Sequence[str]) -> Found | None:
        """From Redis."""
        if kind.is_secret:
            return None
        try:
            packed, newest = await self._store.ask(
                ("MGET", *self.places(kind, names)[1:]), self._voids.question()
            )
            return await self.found(kind, names, newest, packed)
        except StoreAwayError:
            return None

    @staticmethod
    def places(kind: Kind[Any], names: Sequence[str]) -> Sequence[str]:
        """Where to look in Redis, as `flight.Look` wants it; what is there is for `found`."""
        if kind.is_secret:
            return ()
        return keys.CACHE_VOIDS, *(keys.cached(kind.name, one) for one in names)

    async def found(
        self, kind: Kind[Any], names: Sequence[str], newest: Any, packed: Sequence[bytes | None]
    ) -> Found | None:
        """The first of `packed` that is of use; `newest` is the last mark of what was made void."""
        if not packed:
            return None
        if await self._voids.hear(newest):
            await self._disk.sweep(self._voids.is_void)
        lifetime = self._policy.current().lifetimes.of(kind.name)
        entries = [Entry.unpack(one) if one is not None else None for one in packed]
        found = self._first(kind, names, entries, REDIS, lifetime)
        if found is not None:
            name = (kind.name, names[found.index])
            self._remember(name, found, lifetime)
            self._put_on_disk(name, found.entry, lifetime)
        return found

    def begin(self) -> int:
        """The stamp of what begins to be made now."""
        return self._voids.stamp

    def keep(self, kind: Kind[Any], name: str, entry: Entry, policy: Policy) -> None:
        """In memory at once, on disk and in Redis soon."""
        lifetime = policy.lifetimes.of(kind.name)
        if entry.is_negative:
            lifetime = _of_negative(policy.cache.negative_ttl_s)
        if entry.size > policy.cache.max_entry_bytes:
            return
        whose = (kind.name, name)
        self._remember(whose, Found(0, entry, "", 0.0), lifetime)
        if kind.is_secret:
            return
        self._put_on_disk(whose, entry, lifetime)
        for_ms = int(min(lifetime.redis_s, lifetime.last_s) * 1000)
        if for_ms > 0:
            packed = entry.pack()
            self.counts.add(kind.name, REDIS, "bytes", len(packed))
            self._store.ask(("SET", keys.cached(*whose), packed, "PX", for_ms))

    async def make_void(
        self, *, names: Iterable[Name] = (), kinds: Iterable[str] = (), tags: Iterable[str] = ()
    ) -> int:
        """Here at once, in every other process within a second; how many left this disk."""
        named = tuple(names)
        marks = (*map(name_mark, named), *map(kind_mark, kinds), *map(tag_mark, tags))
        if not marks:
            return 0
        if named:
            self._store.ask(("UNLINK", *(keys.cached(*one) for one in named)))
        await self._voids.add(marks)
        self._memory.drop_void(self._voids.is_void)
        return await self._disk.sweep(self._voids.is_void)

    async def amounts(self) -> dict[str, dict[str, Amount]]:
        """By tier, then kind: of this process' memory and this machine's disk."""
        return {MEMORY: self._memory.amounts(), DISK: await self._disk.amounts()}

    async def drain(self) -> None:
        """Wait for the disk, and tell what was counted."""
        await self._disk.drain()
        await self.counts.drain()

    async def close(self) -> None:
        await self._disk.close()

    def _take_evicted(self) -> dict[str, dict[str, int]]:
        return {MEMORY: self._memory.take_evicted(), DISK: self._disk.take_evicted()}

    def _first(
        self,
        kind: Kind[Any],
        names: Sequence[str],
        entries: Sequence[Entry | None],
        tier: str,
        lifetime: Lifetime,
    ) -> Found | None:
        now = self._clock.unix()
        for index, entry in enumerate(entries):
            if entry is None or entry.version != kind.version:
                continue
            age_s = entry.age_s(now)
            if age_s > self._lasts_s(entry, lifetime):
                continue
            if not self._voids.is_void((kind.name, names[index]), entry):
                self.counts.add(kind.name, tier, "negative" if entry.is_negative else "hits")
                return Found(index, entry, tier, age_s)
        self.counts.add(kind.name, tier, "misses")
        return None

    def _lasts_s(self, entry: Entry, lifetime: Lifetime) -> float:
        is_negative = entry.is_negative
        return self._policy.current().cache.negative_ttl_s if is_negative else lifetime.last_s

    def _remember(self, name: Name, found: Found, lifetime: Lifetime) -> None:
        """The memory is made anew where its size has changed."""
        max_bytes = self._policy.current().cache.memory_bytes
        if max_bytes != self._memory.maxsize:
            self._memory = Memory(max_bytes)
        for_s = min(lifetime.memory_s, lifetime.last_s - found.age_s)
        self._memory.keep(name, found.entry, for_s)
        if not found.tier:
            self.counts.add(name[0], MEMORY, "bytes", found.entry.size)

    def _put_on_disk(self, name: Name, entry: Entry, lifetime: Lifetime) -> None:
        for_s = min(lifetime.disk_s, lifetime.last_s - entry.age_s(self._clock.unix()))
        if for_s > 0:
            self._disk.keep(Write(name, entry, for_s), self._policy.current().cache.disk_bytes)
            self.counts.add(name[0], DISK, "bytes", entry.size)


def _of_negative(for_s: float) -> Lifetime:
    return Lifetime(fresh_s=for_s, memory_s=for_s, disk_s=0.0, redis_s=for_s)

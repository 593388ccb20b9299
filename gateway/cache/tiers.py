"""Kept bytes: memory, then Redis, then not at all. Hits and misses are counted per tier."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from cachetools import TTLCache

from gateway import keys
from gateway.clock import Clock
from gateway.policy import CachePolicy, PolicySource
from gateway.store import Command, Store, StoreAwayError

_ENTRY_OVERHEAD_BYTES = 300  # key, links and objects around an entry, measured roughly


Found = tuple[int, bytes, str]  # index of the name, what is kept, in which tier


class Tiers:
    def __init__(self, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._memory = _new_memory(policy.current().cache)
        self._counts: dict[str, int] = {}

    async def find(self, names: Sequence[str]) -> Found | None:
        """Index, bytes and tier of the first of `names` that is kept."""
        in_memory = self.find_in_memory(names)
        if in_memory is not None:
            return in_memory
        try:
            replies = await self._store.ask(self.look(names))
        except StoreAwayError:
            return None
        return self.found(names, replies[0])

    def find_in_memory(self, names: Sequence[str]) -> Found | None:
        for index, name in enumerate(names):
            if (kept := self._memory.get(name)) is not None:
                self._count("memory", is_hit=True)
                return index, kept, "memory"
        self._count("memory", is_hit=False)
        return None

    @staticmethod
    def look(names: Sequence[str]) -> Command:
        """What to ask Redis; its reply is for `found`."""
        return ("MGET", *(keys.cached_completion(name) for name in names))

    def found(self, names: Sequence[str], reply: Sequence[bytes | None]) -> Found | None:
        first = next(((at, kept) for at, kept in enumerate(reply) if kept is not None), None)
        self._count("redis", is_hit=first is not None)
        if first is None:
            return None
        self._remember(names[first[0]], first[1])
        return *first, "redis"

    def keep(self, name: str, kept: bytes) -> None:
        """In memory at once, in Redis soon; while that is away, memory has it."""
        policy = self._policy.current().cache
        if len(kept) > policy.max_entry_bytes:
            return
        self._remember(name, kept)
        ttl_ms = int(policy.redis_ttl_s * 1000)
        self._store.ask(("SET", keys.cached_completion(name), kept, "PX", ttl_ms))

    async def count_up(self) -> None:
        """Add what was counted since to the day's counters in Redis."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        day = datetime.fromtimestamp(self._clock.unix(), UTC).date().isoformat()
        of_day = keys.cache_counters(day)
        adds: list[Command] = [("HINCRBY", of_day, *one) for one in counts.items()]
        try:
            await self._store.ask(*adds, ("EXPIRE", of_day, keys.CACHE_COUNTERS_TTL_S))
        except StoreAwayError:
            for field, count in counts.items():
                self._counts[field] = self._counts.get(field, 0) + count

    async def counters(self, day: str) -> dict[str, int]:
        """Hits and misses per tier on a day (YYYY-MM-DD, UTC), as {"memory:hits": 3, ...}."""
        try:
            (flat,) = await self._store.ask(("HGETALL", keys.cache_counters(day)))
        except StoreAwayError:
            return {}
        return {
            str(field, "utf-8"): int(count)
            for field, count in zip(flat[::2], flat[1::2], strict=True)
        }

    def _count(self, tier: str, *, is_hit: bool) -> None:
        field = f"{tier}:{'hits' if is_hit else 'misses'}"
        self._counts[field] = self._counts.get(field, 0) + 1

    def _remember(self, name: str, kept: bytes) -> None:
        """The memory tier is made anew where its policy has changed."""
        policy = self._policy.current().cache
        if (policy.memory_bytes, policy.memory_ttl_s) != (self._memory.maxsize, self._memory.ttl):
            self._memory = _new_memory(policy)
        if _size(kept) <= self._memory.maxsize:
            self._memory[name] = kept


def _new_memory(policy: CachePolicy) -> TTLCache[str, bytes]:
    return TTLCache(policy.memory_bytes, policy.memory_ttl_s, time.monotonic, getsizeof=_size)


def _size(kept: bytes) -> int:
    return len(kept) + _ENTRY_OVERHEAD_BYTES

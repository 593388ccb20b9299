"""What the cache did, per kind and tier: hits, misses and the like, added up per day in Redis."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from gateway import keys
from gateway.clock import Clock
from gateway.store import Command, Store, StoreAwayError


class Counts:
    """Counted here first; `tell` adds it to the day's, whenever that is convenient."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._untold: Counter[str] = Counter()

    def add(self, kind: str, tier: str, what: str, number: int = 1) -> None:
        """`what`: hits, misses, stale, negative, coalesced, evictions, or bytes written."""
        self._untold[f"{kind}:{tier}:{what}"] += number

    async def tell(self) -> None:
        told, self._untold = self._untold, Counter()
        if not told:
            return
        day = datetime.fromtimestamp(self._clock.unix(), UTC).date().isoformat()
        of_day = keys.cache_counters(day)
        adds: list[Command] = [("HINCRBY", of_day, *one) for one in told.items()]
        try:
            await self._store.ask(*adds, ("EXPIRE", of_day, keys.CACHE_COUNTERS_TTL_S))
        except StoreAwayError:
            self._untold.update(told)

    async def of_day(self, day: str) -> dict[str, int]:
        """Of a day (YYYY-MM-DD, UTC), as {"completion:memory:hits": 3, ...}."""
        try:
            (flat,) = await self._store.ask(("HGETALL", keys.cache_counters(day)))
        except StoreAwayError:
            return {}
        return {
            str(field, "utf-8"): int(count)
            for field, count in zip(flat[::2], flat[1::2], strict=True)
        }

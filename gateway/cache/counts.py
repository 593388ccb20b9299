"""What the cache did, per kind and tier: hits, misses and the like, added up in Redis.

By the minute, the hour and the day, so that an hour, a week and a year can each be drawn from few
small hashes. A process tells its counts together, twice a second at most, so three of them cost a
call nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway import keys
from gateway.background import Background
from gateway.clock import Clock
from gateway.store import Command, Store, StoreAwayError

_TELL_AFTER_S = 0.5

Evicted = Callable[[], Mapping[str, Mapping[str, int]]]


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time that is counted by itself; `of` writes its name from a moment."""

    seconds: int
    form: str
    ttl_s: int

    def of(self, unix_s: float) -> str:
        return datetime.fromtimestamp(unix_s, UTC).strftime(self.form)


MINUTE = Span(60, "%Y-%m-%dT%H:%M", 3 * 3600)
HOUR = Span(3600, "%Y-%m-%dT%H", 9 * 86_400)
DAY = Span(86_400, "%Y-%m-%d", keys.CACHE_COUNTERS_TTL_S)
SPANS = (MINUTE, HOUR, DAY)


class Counts:
    """Counted here first; told by itself soon after, or at once by `tell`.

    `evicted` gives what each tier has evicted since it was asked last, by tier and kind.
    """

    def __init__(self, store: Store, clock: Clock, evicted: Evicted) -> None:
        self._store = store
        self._clock = clock
        self._evicted = evicted
        self._untold: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._background = Background()

    def add(self, kind: str, tier: str, what: str, number: int = 1) -> None:
        """`what`: hits, misses, stale, negative, coalesced, evictions, bytes, saved_*."""
        self._untold[f"{kind}:{tier}:{what}"] += number
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TELL_AFTER_S, self._tell_now)

    async def tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for tier, kinds in self._evicted().items():
            for kind, number in kinds.items():
                self._untold[f"{kind}:{tier}:evictions"] += number
        told, self._untold = self._untold, Counter()
        if not told:
            return
        try:
            await self._store.ask(*self._additions(told))
        except StoreAwayError:
            self._untold.update(told)

    async def drain(self) -> None:
        await self._background.drain()
        await self.tell()

    async def of_day(self, day: str) -> dict[str, int]:
        """Of a day (YYYY-MM-DD, UTC), as {"completion:memory:hits": 3, ...}."""
        try:
            return (await self._read([keys.cache_counters(day)]))[0]
        except StoreAwayError:
            return {}

    async def of_spans(self, span: Span, starts: Sequence[int]) -> list[dict[str, int]]:
        """Of each span that begins at one of these Unix times; raises StoreAwayError."""
        return await self._read([keys.cache_counters(span.of(start)) for start in starts])

    async def _read(self, names: Sequence[str]) -> list[dict[str, int]]:
        replies = await self._store.ask(*(("HGETALL", name) for name in names))
        return [
            {
                str(field, "utf-8"): int(count)
                for field, count in zip(flat[::2], flat[1::2], strict=True)
            }
            for flat in replies
        ]

    def _additions(self, told: Mapping[str, int]) -> list[Command]:
        now = self._clock.unix()
        commands: list[Command] = []
        for span in SPANS:
            name = keys.cache_counters(span.of(now))
            commands += [("HINCRBY", name, *one) for one in told.items()]
            commands.append(("EXPIRE", name, span.ttl_s))
        return commands

    def _tell_now(self) -> None:
        self._timer = None
        self._background.later(self.tell())

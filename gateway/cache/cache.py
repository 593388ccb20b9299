"""The tiered cache for any kind of data: memory -> disk -> Redis -> origin.

get: near tiers -> (past its time, but usable: give it, renew it behind) -> one of all asks
     the origin, the others wait for it -> kept everywhere -> where the origin fails, what
     is kept past its time may still do
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.background import Background
from gateway.cache.clearing import Gone, clear
from gateway.cache.counts import Span
from gateway.cache.entries import Amount, Entry
from gateway.cache.flight import Flights, Look
from gateway.cache.kinds import Kind, NotThere
from gateway.cache.memory import Name
from gateway.cache.plain import digest
from gateway.cache.shelf import Shelf
from gateway.cache.tiers import Found, Tiers
from gateway.clock import Clock
from gateway.errors import NotCached
from gateway.policy import Policy, PolicySource
from gateway.store import Store
from gateway.types import CacheMode

logger = logging.getLogger(__name__)

_WARMED_AT_ONCE = 8

T = TypeVar("T")
Load = Callable[[], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One key of one kind, and what is kept with it."""

    kind: Kind[Any]
    name: str
    load: Load[Any]
    tags: tuple[str, ...]


class Cache:
    """One per engine. Keys are any values with a plain form: strings, tuples, dataclasses."""

    def __init__(self, tiers: Tiers, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._tiers = tiers
        self._policy = policy
        self._clock = clock
        self._flights: Flights[Entry] = Flights(store, policy)
        self._background = Background()
        self._renewing: set[tuple[str, str]] = set()

    async def get(
        self,
        kind: Kind[T],
        key: object,
        load: Load[T],
        *,
        tags: Iterable[str] = (),
        mode: CacheMode = CacheMode.USE,
    ) -> T:
        """What is kept under `key`, else what `load` gives, which then is kept.

        `load` raises NotThere where there is no such thing, which is believed for a short time;
        any other error is the caller's, unless something past its time may be given instead.
        With `CacheMode.ONLY` raises NotCached rather than load.
        """
        wanted = _Wanted(kind, digest(key), load, tuple(tags))
        if mode is CacheMode.SKIP:
            return await load()
        found = None if mode is CacheMode.REFRESH else await self._found(wanted, mode)
        if found is not None and self._may_give(wanted, found):
            with suppress(ValueError):  # what cannot be read is as if it were not there
                return _value(kind, found.entry)
        if mode is CacheMode.ONLY:
            raise NotCached("Nothing is kept under this key.")
        try:
            load_one = self._loaded if mode is CacheMode.REFRESH else self._one
            return _value(kind, await load_one(wanted))
        except NotThere:
            raise
        except Exception:
            if found is None or not self._replaces_an_error(kind, found):
                raise
            self._tiers.counts.add(kind.name, found.tier, "stale")
            return _value(kind, found.entry)

    async def peek(self, kind: Kind[T], key: object) -> T | None:
        """What is kept, however old; None where nothing is. Raises NotThere."""
        wanted = _Wanted(kind, digest(key), _nothing, ())
        found = await self._found(wanted, CacheMode.ONLY)
        with suppress(ValueError):
            return None if found is None else _value(kind, found.entry)
        return None

    def put(self, kind: Kind[T], key: object, value: T, *, tags: Iterable[str] = ()) -> None:
        """Keep a value that came another way."""
        self._keep(_Wanted(kind, digest(key), _nothing, tuple(tags)), value, self._tiers.begin())

    async def warm(
        self, kind: Kind[T], loads: Mapping[Any, Load[T]], *, tags: Iterable[str] = ()
    ) -> int:
        """Fetch ahead what will be asked for, a few at a time; how many could be had."""
        places = asyncio.Semaphore(_WARMED_AT_ONCE)

        async def one(key: object, load: Load[T]) -> bool:
            async with places:
                try:
                    await self.get(kind, key, load, tags=tags)
                except Exception as error:  # noqa: BLE001 - one that fails will be asked for later
                    logger.info("Could not warm the cache: %s", error)
                    return False
                return True

        return sum(await asyncio.gather(*(one(*item) for item in loads.items())))

    async def invalidate(self, kind: Kind[Any], *keys: object) -> None:
        """Forget these keys, or the whole kind where none is named; everywhere within a second."""
        if keys:
            await self._tiers.make_void(names=[(kind.name, digest(one)) for one in keys])
        else:
            await self._tiers.make_void(kinds=[kind.name])

    async def invalidate_tags(self, *tags: str) -> None:
        """Forget, in every kind, what was kept with one of these tags; as `invalidate`."""
        await self._tiers.make_void(tags=tags)

    async def clear(
        self, *, kinds: Iterable[str] = (), tags: Iterable[str] = (), names: Iterable[Name] = ()
    ) -> Gone:
        """Forget whole kinds, what bears a tag, or entries by the names that `shelf` gives them.

        In every process within a second; what was forgotten is also removed, and counted.
        """
        return await clear(self._tiers, tuple(kinds), tuple(tags), tuple(names))

    @property
    def shelf(self) -> Shelf:
        return self._tiers.shelf

    @property
    def policy(self) -> Policy:
        """In force now: how long what is kept, and in how much room."""
        return self._policy.current()

    async def counters(self, day: str) -> dict[str, int]:
        """Of a day (YYYY-MM-DD, UTC), as {"completion:memory:hits": 3, ...}."""
        return await self._tiers.counts.of_day(day)

    async def counters_of(self, span: Span, starts: Sequence[int]) -> list[dict[str, int]]:
        """As `counters`, of each span that begins at one of these Unix times.

        Raises StoreAwayError.
        """
        return await self._tiers.counts.of_spans(span, starts)

    async def amounts(self) -> dict[str, dict[str, Amount]]:
        """By tier and kind: of this process' memory and this machine's disk."""
        return await self._tiers.amounts()

    async def drain(self) -> None:
        await self._background.drain()

    async def _found(self, wanted: _Wanted, mode: CacheMode) -> Found | None:
        """The nearest; where it would be loaded, Redis is asked together with the lock."""
        found = await self._tiers.near(wanted.kind, [wanted.name])
        if found is None and mode is CacheMode.ONLY:
            found = await self._tiers.far(wanted.kind, [wanted.name])
        return found

    def _may_give(self, wanted: _Wanted, found: Found) -> bool:
        """Past its time it may still be given for a while, and is renewed behind."""
        lifetime = self._policy.current().lifetimes.of(wanted.kind.name)
        if found.entry.is_negative or found.age_s <= lifetime.fresh_s:
            return True
        if found.age_s > lifetime.fresh_s + lifetime.stale_s:
            return False
        self._tiers.counts.add(wanted.kind.name, found.tier, "stale")
        if (whose := (wanted.kind.name, wanted.name)) not in self._renewing:
            self._renewing.add(whose)
            self._background.later(self._renew(wanted))
        return True

    async def _renew(self, wanted: _Wanted) -> None:
        try:
            await self._one(wanted)
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the next one tries again
            logger.info("A kept %s could not be renewed: %s", wanted.kind.name, error)
        finally:
            self._renewing.discard((wanted.kind.name, wanted.name))

    async def _one(self, wanted: _Wanted) -> Entry:
        """Of all who ask at the same time one loads."""
        kind, names = wanted.kind, [wanted.name]
        fresh_s = self._policy.current().lifetimes.of(kind.name).fresh_s

        async def read(newest: Any, kept: Sequence[bytes | None]) -> Entry | None:
            found = await self._tiers.found(kind, names, newest, kept)
            if found is None or not _is_readable(kind, found.entry):
                return None
            is_fresh = found.entry.is_negative or found.age_s <= fresh_s
            return found.entry if is_fresh else None

        look = Look(self._tiers.places(kind, names), read)
        async with self._flights.turn(f"{kind.name}:{wanted.name}", look) as turn:
            if turn.result is not None:
                if turn.is_shared:
                    self._tiers.counts.add(kind.name, "flight", "coalesced")
                return turn.result
            try:
                entry = await self._loaded(wanted)
            except Exception as error:
                turn.bring(error)
                raise
            turn.bring(entry)
            return entry

    async def _loaded(self, wanted: _Wanted) -> Entry:
        """From the origin, and kept."""
        stamp = self._tiers.begin()
        try:
            return self._keep(wanted, await wanted.load(), stamp)
        except NotThere as reason:
            entry = self._entry(wanted, str(reason).encode(), stamp, is_negative=True)
            self._tiers.keep(wanted.kind, wanted.name, entry, self._policy.current())
            raise

    def _keep(self, wanted: _Wanted, value: Any, stamp: int) -> Entry:
        entry = self._entry(wanted, wanted.kind.encode(value), stamp)
        self._tiers.keep(wanted.kind, wanted.name, entry, self._policy.current())
        return entry

    def _entry(
        self, wanted: _Wanted, payload: bytes, stamp: int, *, is_negative: bool = False
    ) -> Entry:
        made_at, version = self._clock.unix(), wanted.kind.version
        return Entry(payload, made_at, stamp, wanted.tags, is_negative, version)

    def _replaces_an_error(self, kind: Kind[Any], found: Found) -> bool:
        lifetime = self._policy.current().lifetimes.of(kind.name)
        return found.age_s <= lifetime.fresh_s + lifetime.on_error_s


def _value(kind: Kind[T], entry: Entry) -> T:
    if entry.is_negative:
        raise NotThere(entry.payload.decode(errors="replace"))
    return kind.decode(entry.payload)


def _is_readable(kind: Kind[Any], entry: Entry) -> bool:
    try:
        return entry.is_negative or kind.decode(entry.payload) is not None
    except ValueError:
        return False


async def _nothing() -> Any:
    raise NotThere

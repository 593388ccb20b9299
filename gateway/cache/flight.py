"""Single flight: of those who miss the same key at the same time, one goes to the origin.

Within a process the others wait for its result; across processes they wait for its lock to be
given back and look into the cache again. A holder that dies loses the lock by its TTL. Without
Redis each process has its own flight.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway import keys
from gateway.policy import PolicySource
from gateway.store import Script, Store, StoreAwayError

_TAKE = Script("cache/lua/take.lua")
_RELEASE = Script("cache/lua/release.lua")
_EXTEND = Script("cache/lua/extend.lua")
_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.1

T = TypeVar("T")
Landed = asyncio.Future[T | Exception | None]


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """How to look once more before the lock is taken: another may have brought it meanwhile.

    `keys` are the marks of what was made void, then where it would be kept; none where it never
    is. `read` gets the newest mark and what is kept there, and gives what of that is of use.
    """

    keys: Sequence[str]
    read: Callable[[Any, Sequence[bytes | None]], Awaitable[T | None]]


class Turn(Generic[T]):
    """Either `result` is what somebody else brought, or it is ours to fetch and to `bring`."""

    def __init__(
        self, landed: Landed[T] | None, result: T | None = None, *, is_shared: bool = False
    ) -> None:
        self.result = result
        self.is_shared = is_shared  # brought by another of this process, at the same time
        self._landed = landed

    def bring(self, result: T | Exception) -> None:
        """A failure is brought where the others would only repeat it."""
        if self._landed is not None and not self._landed.done():
            self._landed.set_result(result)


class Flights(Generic[T]):
    def __init__(self, store: Store, policy: PolicySource) -> None:
        self._store = store
        self._policy = policy
        self._under_way: dict[str, Landed[T]] = {}

    @asynccontextmanager
    async def turn(self, name: str, look: Look[T]) -> AsyncIterator[Turn[T]]:
        """Wait for the one under way, or be the one that goes until the block ends.

        Raises the failure that another brought. Who has waited for `cache.flight_wait_s` goes
        by itself: the other's caller may be slow to take its answer. The wait ends earlier by
        the caller's own timeout only.
        """
        result, is_too_late = await self._brought(name)
        if result is not None or is_too_late:
            yield Turn(None, result, is_shared=True)
            return
        landed: Landed[T] = asyncio.get_running_loop().create_future()
        self._under_way[name] = landed
        lock: _Lock | None = None
        try:
            lock, found = await self._first(name, look)
            if found is not None:
                landed.set_result(found)
            yield Turn(landed, found)
        finally:
            if lock is not None:
                lock.give_back()
            if self._under_way.get(name) is landed:
                del self._under_way[name]
            if not landed.done():
                landed.set_result(None)  # gave up: the next one goes

    async def _brought(self, name: str) -> tuple[T | None, bool]:
        """By those of this process, and whether the time for waiting is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._policy.current().cache.flight_wait_s
        while (landed := self._under_way.get(name)) is not None:
            await asyncio.wait([landed], timeout=until - loop.time())
            if not landed.done():
                return None, True
            result = landed.result()
            if isinstance(result, Exception):
                raise result
            if result is not None:
                return result, False
        return None, False

    async def _first(self, name: str, look: Look[T]) -> tuple[_Lock | None, T | None]:
        """Be the first of all processes, or have what the one before has left in the cache."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._policy.current().cache.flight_wait_s
        while True:
            lock, found = await self._locked(name, look)
            if lock.is_ours or found is not None or loop.time() >= until:
                return lock, found
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._given_back(name)

    async def _locked(self, name: str, look: Look[T]) -> tuple[_Lock, T | None]:
        """What is kept; where nothing is, try to be the one of all processes in the same trip."""
        ttl_ms = int(self._policy.current().cache.flight_ttl_s * 1000)
        lock = _Lock(self._store, keys.flight(name), ttl_ms)
        try:
            newest, kept = await lock.take(look.keys)
            found = await look.read(newest, kept)
            if found is None and any(kept):  # it is of no use
                await lock.take(())
        except StoreAwayError:
            lock.is_ours = True  # each process for itself
            return lock, None
        except BaseException:
            lock.give_back()  # it may have become ours
            raise
        return lock, found

    async def _given_back(self, name: str) -> None:
        """Wait until nobody holds the lock any more."""
        pause_s = _FIRST_LOOK_S
        with suppress(StoreAwayError):
            while (await self._store.ask(("EXISTS", keys.flight(name))))[0]:
                await asyncio.sleep(pause_s)
                pause_s = min(_LONGEST_LOOK_S, pause_s * 1.5)


class _Lock:
    """Of all processes, extended from when it `is_ours` until it is given back or lost.

    By a timer rather than a task: most flights are over before it is due, and a task for each
    would cost more than all else that is done here.
    """

    def __init__(self, store: Store, key: str, ttl_ms: int) -> None:
        self.is_ours = False
        self._store = store
        self._key = key
        self._token = uuid.uuid4().hex
        self._ttl_ms = ttl_ms
        self._timer: asyncio.TimerHandle | None = None
        self._is_settled = False  # somebody else has it, or we gave it back

    async def take(self, places: Sequence[str]) -> tuple[Any, Sequence[bytes | None]]:
        """Unless something is kept at one of the places: the newest mark, and what is kept."""
        args = (self._token, self._ttl_ms)
        is_ours, newest, kept = await self._store.run(_TAKE, (self._key, *places), args)
        self.is_ours, self._is_settled = bool(is_ours), not is_ours
        if is_ours:
            self._extend_later()
        return newest, kept

    def give_back(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._is_settled:
            self._is_settled = True
            self._store.run(_RELEASE, [self._key], [self._token])

    def _extend_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._ttl_ms / 3000, self._extend)

    def _extend(self) -> None:
        asked = self._store.run(_EXTEND, [self._key], [self._token, self._ttl_ms])
        asked.add_done_callback(self._extended)

    def _extended(self, asked: asyncio.Future[Any]) -> None:
        """Where it was lost, or Redis is away, there is nothing more to extend."""
        if not self._is_settled and asked.exception() is None and asked.result():
            self._extend_later()

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
from gateway.store import Command, Script, Store, StoreAwayError

_RELEASE = Script("cache/lua/release.lua")
_EXTEND = Script("cache/lua/extend.lua")
_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.1

T = TypeVar("T")
Landed = asyncio.Future[T | Exception | None]


@dataclass(frozen=True, slots=True)
class Look(Generic[T]):
    """How to look once more, together with the lock: another may have brought it meanwhile.

    `read` gets the replies to `commands` and gives what was found.
    """

    commands: Sequence[Command]
    read: Callable[[Sequence[Any]], Awaitable[T | None]]


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
        try:
            async with self._first(name, look) as found:
                if found is not None:
                    landed.set_result(found)
                yield Turn(landed, found)
        finally:
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

    @asynccontextmanager
    async def _first(self, name: str, look: Look[T]) -> AsyncIterator[T | None]:
        """Be the first of all processes, or give what the one before has left in the cache."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._policy.current().cache.flight_wait_s
        while True:
            async with self._lock(name, look) as (is_ours, found):
                if is_ours or found is not None or loop.time() >= until:
                    yield found
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._given_back(name)

    @asynccontextmanager
    async def _lock(self, name: str, look: Look[T]) -> AsyncIterator[tuple[bool, T | None]]:
        """Try to be the one of all processes; held until the block ends.

        Gives whether we are, and what the look has found, which travels in the same trip.
        """
        token, lock = uuid.uuid4().hex, keys.flight(name)
        ttl_ms = int(self._policy.current().cache.flight_ttl_s * 1000)
        holding: asyncio.Task[None] | None = None
        locked: Any = True
        found: T | None = None
        try:
            take = ("SET", lock, token, "NX", "PX", ttl_ms)
            locked, *replies = await self._store.ask(take, *look.commands)
            if locked is not None:
                holding = asyncio.create_task(self._hold(lock, token, ttl_ms))
            found = await look.read(replies)
        except StoreAwayError:
            pass  # each process for itself
        except asyncio.CancelledError:
            self._let_go(holding, lock, token)  # it may have become ours
            raise
        try:
            yield locked is not None, found
        finally:
            if holding is not None:
                self._let_go(holding, lock, token)

    def _let_go(self, holding: asyncio.Task[None] | None, lock: str, token: str) -> None:
        if holding is not None:
            holding.cancel()
        self._store.run(_RELEASE, [lock], [token])

    async def _hold(self, lock: str, token: str, ttl_ms: int) -> None:
        """Extend it until it is lost; cancelled by the one who holds it."""
        with suppress(StoreAwayError):
            is_ours = True
            while is_ours:
                await asyncio.sleep(ttl_ms / 3000)
                is_ours = bool(await self._store.run(_EXTEND, [lock], [token, ttl_ms]))

    async def _given_back(self, name: str) -> None:
        """Wait until nobody holds the lock any more."""
        pause_s = _FIRST_LOOK_S
        with suppress(StoreAwayError):
            while (await self._store.ask(("EXISTS", keys.flight(name))))[0]:
                await asyncio.sleep(pause_s)
                pause_s = min(_LONGEST_LOOK_S, pause_s * 1.5)

"""Single flight: of calls that miss the same key at the same time, one goes to the origin.

Within a process the others wait for its result; across processes they wait for its lock to be
given back and look into the cache again. A holder that dies loses the lock by its TTL. Without
Redis each process has its own flight.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

from gateway import keys
from gateway.policy import PolicySource
from gateway.store import Command, Script, Store, StoreAwayError

_RELEASE = Script("cache/lua/release.lua")
_EXTEND = Script("cache/lua/extend.lua")
_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.1

T = TypeVar("T")


class Flights(Generic[T]):
    def __init__(self, store: Store, policy: PolicySource) -> None:
        self._store = store
        self._policy = policy
        self._under_way: dict[str, asyncio.Future[T | None]] = {}

    def under_way(self, name: str) -> asyncio.Future[T | None] | None:
        """The flight of this process that has this name; its result is None when it gave up."""
        return self._under_way.get(name)

    @asynccontextmanager
    async def lead(self, name: str) -> AsyncIterator[Landing[T]]:
        """Be the one of this process that goes. The caller has seen that nobody else is."""
        future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._under_way[name] = future
        landing = Landing(future)
        try:
            yield landing
        finally:
            del self._under_way[name]
            if not future.done():
                future.set_result(None)

    @asynccontextmanager
    async def lock(self, name: str, look: Command) -> AsyncIterator[tuple[bool, Any]]:
        """Try to be the one of all processes; held until the block ends.

        Gives whether we are, and the reply to `look`, which is asked after the lock and in the
        same trip: None while Redis is away.
        """
        token, lock = uuid.uuid4().hex, keys.flight(name)
        ttl_ms = int(self._policy.current().cache.flight_ttl_s * 1000)
        holding: asyncio.Task[None] | None = None
        try:
            locked, found = await self._store.ask(("SET", lock, token, "NX", "PX", ttl_ms), look)
            if locked is not None:
                holding = asyncio.create_task(self._hold(lock, token, ttl_ms))
        except StoreAwayError:
            locked, found = True, None
        except asyncio.CancelledError:
            self._store.run(_RELEASE, [lock], [token])  # it may have become ours
            raise
        try:
            yield locked is not None, found
        finally:
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

    async def landed(self, name: str) -> None:
        """Wait until nobody holds the lock any more."""
        pause_s = _FIRST_LOOK_S
        with suppress(StoreAwayError):
            while (await self._store.ask(("EXISTS", keys.flight(name))))[0]:
                await asyncio.sleep(pause_s)
                pause_s = min(_LONGEST_LOOK_S, pause_s * 1.5)


class Landing(Generic[T]):
    """Where the one that goes leaves what it brought."""

    def __init__(self, future: asyncio.Future[T | None]) -> None:
        self._future = future

    def bring(self, result: T) -> None:
        if not self._future.done():
            self._future.set_result(result)

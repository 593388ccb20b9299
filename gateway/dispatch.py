"""Bounded concurrency per provider: who may not run yet waits in order of priority, or is told no.

One event loop's view; several processes share a provider through limiter and breaker.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.errors import QueueFull
from gateway.policy import PolicySource
from gateway.types import Priority

_RANK = {Priority.INTERACTIVE: 0, Priority.NORMAL: 1, Priority.BATCH: 2}

_FEW = 64

_Waiter = tuple[int, int, asyncio.Future[None]]  # rank, arrival, woken when its turn has come


class Dispatcher:
    def __init__(self, policy: PolicySource) -> None:
        self._policy = policy
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def place(self, provider: str, priority: Priority) -> AsyncIterator[None]:
        """A place among the calls that run at `provider`; raises QueueFull.

        Leaving the block, by whatever way, gives it to the next one at once.
        """
        policy = self._policy.current().dispatch
        lane = self._lanes.setdefault(provider, _Lane())
        await lane.enter(priority, policy.provider_concurrency, policy.queue_length)
        try:
            yield
        finally:
            lane.leave(policy.provider_concurrency)
            if lane.is_idle:
                self._lanes.pop(provider, None)

    def running(self) -> dict[str, tuple[int, int]]:
        """Calls that run and that wait, by provider, in this process."""
        return {name: (lane.running, lane.waiting) for name, lane in self._lanes.items()}


class _Lane:
    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self._waiters: list[_Waiter] = []
        self._arrivals = itertools.count()

    @property
    def is_idle(self) -> bool:
        return self.running == 0 and self.waiting == 0

    async def enter(self, priority: Priority, concurrency: int, queue_length: int) -> None:
        if self.running < concurrency and self.waiting == 0:
            self.running += 1
            return
        if self.waiting >= queue_length:
            raise QueueFull(f"{self.waiting} calls wait for this provider already.")
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (_RANK[priority], next(self._arrivals), turn))
        self.waiting += 1
        try:
            await turn  # whoever wakes it has counted it as running
        except asyncio.CancelledError:
            if turn.cancelled():
                self.waiting -= 1
                self._forget_the_gone()
            else:
                self.leave(concurrency)  # woken and cancelled in the same moment
            raise

    def _forget_the_gone(self) -> None:
        """Those who left stay in the heap until most of it is theirs: cheap, and bounded."""
        if len(self._waiters) > 2 * self.waiting + _FEW:
            self._waiters = [one for one in self._waiters if not one[2].done()]
            heapq.heapify(self._waiters)

    def leave(self, concurrency: int) -> None:
        self.running -= 1
        while self._waiters and self.running < concurrency:
            _, _, turn = heapq.heappop(self._waiters)
            if not turn.done():
                self.running += 1
                self.waiting -= 1
                turn.set_result(None)

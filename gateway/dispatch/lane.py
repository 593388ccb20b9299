"""The calls of one process at one provider: those that run, and those that wait for a place."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from gateway.dispatch.concurrency import Concurrency
from gateway.errors import QueueFull
from gateway.policy import DispatchPolicy
from gateway.types import Priority

_RANK = {Priority.INTERACTIVE: 0, Priority.NORMAL: 1, Priority.BATCH: 2}
_FEW = 64
_SMOOTHING = 0.1

# Paused: nobody starts, who comes waits. Drained: nobody new comes in, who waits or runs goes on.
Hold = Literal["", "pause", "drain"]


def put_back_s(priority: Priority, policy: DispatchPolicy) -> float:
    """How much later a call counts as having come than it did, for its priority.

    That is all there is to priority and ageing: who waits stands by arrival, and a lower priority
    is a later arrival. So nothing waits for ever, however much of higher priority comes.
    """
    return _RANK[priority] * policy.ageing_s


@dataclass(frozen=True, slots=True)
class Waiting:
    """A call that waits. `expected_s` is None until a call has shown how long one takes."""

    priority: Priority
    waited_s: float
    expected_s: float | None
    call_id: str = ""


@dataclass(eq=False, slots=True)
class _Waiter:
    priority: Priority
    arrived: float
    turn: asyncio.Future[None]  # woken when its turn has come
    call_id: str


class Lane:
    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self.refused = 0  # since the process began
        self.hold: Hold = ""
        self.concurrency = Concurrency()
        self._waiters: list[tuple[float, int, _Waiter]] = []  # by when they count as arrived
        self._by_rank: Counter[int] = Counter()
        self._arrivals = itertools.count()
        self._usual_s: float | None = None  # for which a place is held

    @property
    def is_idle(self) -> bool:
        return self.running == 0 and self.waiting == 0

    async def enter(
        self,
        priority: Priority,
        arrived: float,
        within_s: float,
        policy: DispatchPolicy,
        call_id: str = "",
    ) -> None:
        """Wait for a place; raises QueueFull, or TimeoutError after `within_s`."""
        if self.hold == "drain":
            self.refused += 1
            raise QueueFull("It is being drained: an admin lets no new call in.")
        is_free = self.running < self.concurrency.limit(policy) and self.waiting == 0
        if is_free and not self.hold:
            self.running += 1
            return
        self._refuse_the_hopeless(priority, within_s, policy)
        turn = asyncio.get_running_loop().create_future()
        due = arrived + put_back_s(priority, policy)
        waiter = _Waiter(priority, arrived, turn, call_id)
        heapq.heappush(self._waiters, (due, next(self._arrivals), waiter))
        self.waiting += 1
        self._by_rank[_RANK[priority]] += 1
        self._let_in(policy)  # the number may have grown since somebody left
        try:
            async with asyncio.timeout(within_s):
                await turn  # whoever wakes it has counted it as running
        except (asyncio.CancelledError, TimeoutError):
            if turn.cancelled():
                self._forget(waiter)
            else:
                self.leave(policy)  # woken and cancelled in the same moment
            raise

    def leave(self, policy: DispatchPolicy) -> None:
        self.running -= 1
        self._let_in(policy)

    def held_back(self, hold: Hold, policy: DispatchPolicy) -> None:
        """Be paused or drained from now on, or no longer."""
        self.hold = hold
        self._let_in(policy)

    def held(self, seconds: float) -> None:
        """A call has run for so long."""
        known = seconds if self._usual_s is None else self._usual_s
        self._usual_s = known + _SMOOTHING * (seconds - known)

    def expected_s(self, number_ahead: int, policy: DispatchPolicy) -> float | None:
        """Until somebody with so many before it gets a place; None while nobody can know."""
        if self._usual_s is None or self.hold == "pause":
            return None
        return (number_ahead + 1) * self._usual_s / self.concurrency.limit(policy)

    def queue(self, policy: DispatchPolicy, now: float) -> list[Waiting]:
        """Who waits, in the order in which they will be let in if nobody else comes."""
        staying = [one for _, _, one in sorted(self._waiters) if not one.turn.done()]
        return [
            Waiting(one.priority, now - one.arrived, self.expected_s(number, policy), one.call_id)
            for number, one in enumerate(staying)
        ]

    def _refuse_the_hopeless(
        self, priority: Priority, within_s: float, policy: DispatchPolicy
    ) -> None:
        rank = _RANK[priority]
        ahead = sum(count for one, count in self._by_rank.items() if one <= rank)
        expected_s = self.expected_s(ahead, policy)
        if self.waiting >= policy.queue_length:
            self.refused += 1
            raise QueueFull(
                f"{self.waiting} calls wait for this provider already.", retry_after_s=expected_s
            )
        if expected_s is not None and expected_s > within_s:
            self.refused += 1
            raise QueueFull(
                f"{self.waiting} calls wait for this provider; this one's turn would come in "
                f"about {expected_s:.0f} s.",
                retry_after_s=expected_s,
            )

    def _forget(self, waiter: _Waiter) -> None:
        """Those who left stay in the heap until most of it is theirs: cheap, and bounded."""
        self.waiting -= 1
        self._by_rank[_RANK[waiter.priority]] -= 1
        if len(self._waiters) > 2 * self.waiting + _FEW:
            self._waiters = [one for one in self._waiters if not one[2].turn.done()]
            heapq.heapify(self._waiters)

    def _let_in(self, policy: DispatchPolicy) -> None:
        limit = 0 if self.hold == "pause" else self.concurrency.limit(policy)
        while self._waiters and self.running < limit:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.turn.done():
                self.running += 1
                self.waiting -= 1
                self._by_rank[_RANK[waiter.priority]] -= 1
                waiter.turn.set_result(None)

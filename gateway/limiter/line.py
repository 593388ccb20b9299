"""Who waits for a quota: one line per quota in each process, first come first served.

Only the first of a line asks Redis; there it holds the process' ticket (lua/line.lua), so that the
first ones of all processes are served in the order in which they came. So Redis keeps as many
tickets as processes wait, however many calls do.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from operator import sub

from gateway.clock import Clock
from gateway.limiter.quota import Quota

_ASK_AGAIN_S = 0.5  # what other processes gave back is found out so late at most
_FEW = 64

Costs = tuple[int, ...]


class Waiter:
    """One call in a line. `due_us` is when it came, by Redis' clock, its priority counted in."""

    def __init__(self, line: Line, costs: Costs, due_us: int, rank_us: int) -> None:
        self.costs = costs
        self.due_us = due_us
        self.rank_us = rank_us
        self.is_gone = False
        self.ask_at = 0.0  # by the clock
        self.bell = asyncio.Event()
        self._line = line
        self._clock = line.clock

    def told(self, wait_s: float) -> None:
        """Redis sees no room before; something may be given back earlier."""
        self.ask_at = self._clock.monotonic() + min(wait_s, _ASK_AGAIN_S)

    async def turn(self, within_s: float) -> None:
        """Until it is first and it is time to ask; raises TimeoutError."""
        until = self._clock.monotonic() + within_s
        while True:
            now, is_first = self._clock.monotonic(), self._line.first is self
            if is_first and self.ask_at <= now:
                return
            if now >= until:
                raise TimeoutError
            await self._rung(min(until, self.ask_at if is_first else until) - now)

    async def _rung(self, within_s: float) -> None:
        self.bell.clear()
        timer = asyncio.ensure_future(self._clock.sleep(within_s))
        timer.add_done_callback(lambda _: self.bell.set())
        try:
            await self.bell.wait()
        finally:
            timer.cancel()

    @property
    def next_due(self) -> Waiter | None:
        """Who is first when it has passed."""
        return self._line.second

    def leave(self, *, has_passed: bool) -> None:
        """Its place goes to the next one, who may ask at once."""
        self._line.remove(self, has_passed=has_passed)


class Line:
    """The calls of this process that wait for one quota."""

    def __init__(self, quota: Quota, clock: Clock, on_empty: Callable[[Line, bool], None]) -> None:
        self.quota = quota
        self.clock = clock
        self.length = 0
        self._heap: list[tuple[int, int, Waiter]] = []
        self._arrivals = itertools.count()
        self._needed: dict[int, Costs] = {}  # by rank
        self._on_empty = on_empty

    @property
    def first(self) -> Waiter | None:
        while self._heap and self._heap[0][2].is_gone:
            heapq.heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    @property
    def second(self) -> Waiter | None:
        if self.length < 2 or self.first is None:  # noqa: PLR2004 - the second needs a first
            return None
        head = heapq.heappop(self._heap)
        second = self.first
        heapq.heappush(self._heap, head)
        return second

    def needed_ahead(self, rank_us: int) -> Costs:
        """What those need who go before a call that comes now with this rank."""
        none = (0,) * len(self.quota.limits)
        return _summed([none, *(sums for rank, sums in self._needed.items() if rank <= rank_us)])

    def join(self, costs: Costs, due_us: int, rank_us: int) -> Waiter:
        waiter = Waiter(self, costs, due_us, rank_us)
        heapq.heappush(self._heap, (due_us, next(self._arrivals), waiter))
        self.length += 1
        self._needed[rank_us] = _summed([self._needed.get(rank_us, (0,) * len(costs)), costs])
        return waiter

    def remove(self, waiter: Waiter, *, has_passed: bool) -> None:
        was_first = self.first is waiter
        waiter.is_gone = True
        self.length -= 1
        left = tuple(map(sub, self._needed[waiter.rank_us], waiter.costs))
        self._needed[waiter.rank_us] = left
        if len(self._heap) > 2 * self.length + _FEW:
            self._heap = [one for one in self._heap if not one[2].is_gone]
            heapq.heapify(self._heap)
        if was_first:
            self.ring()
        if not self.length:
            self._on_empty(self, has_passed)

    def ring(self) -> None:
        """The first one may ask now: somebody passed, left, or gave something back."""
        first = self.first
        if first is not None:
            first.ask_at = self.clock.monotonic()
            first.bell.set()


class Lines:
    """All lines of this process; `on_forsaken` hears when all left one without passing."""

    def __init__(self, clock: Clock, on_forsaken: Callable[[Quota], None]) -> None:
        self._clock = clock
        self._lines: dict[Quota, Line] = {}
        self._on_forsaken = on_forsaken

    def __len__(self) -> int:
        return sum(line.length for line in self._lines.values())

    def at(self, quota: Quota) -> Line | None:
        """The line for a quota; None where nobody waits."""
        return self._lines.get(quota) if self._lines else None

    def join(self, quota: Quota, costs: Costs, due_us: int, rank_us: int) -> Waiter:
        line = self._lines.get(quota)
        if line is None:
            line = self._lines[quota] = Line(quota, self._clock, self._emptied)
        return line.join(costs, due_us, rank_us)

    def ring(self, quota: Quota) -> None:
        """Something of the quota was given back."""
        if line := self.at(quota):
            line.ring()

    def _emptied(self, line: Line, has_passed: bool) -> None:
        del self._lines[line.quota]
        if not has_passed:
            self._on_forsaken(line.quota)


def _summed(many: list[Costs]) -> Costs:
    return tuple(map(sum, zip(*many, strict=True)))

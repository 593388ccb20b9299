"""Bounded, adaptive concurrency per provider: who may not run yet waits in line, or is told no.

One event loop's view; several processes share a provider through limiter and breaker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.dispatch.lane import Hold, Lane, Waiting
from gateway.errors import QueueFull
from gateway.policy import DispatchPolicy, PolicySource
from gateway.types import Priority


@dataclass(frozen=True, slots=True)
class LaneView:
    """What happens at one provider in this process; `concurrency` calls may run at once."""

    running: int
    concurrency: int
    waiting: tuple[Waiting, ...]
    refused: int = 0  # since the process began
    hold: Hold = ""


class Place:
    """Where one call runs. It tells how the provider bore it."""

    def __init__(self, lane: Lane, policy: DispatchPolicy) -> None:
        self._lane = lane
        self._policy = policy
        self._started_at: float | None = None

    def started(self) -> None:
        """The call is sent; before, it only asks whether it may."""
        self._started_at = _now()

    def answered(self, latency_s: float) -> None:
        self._lane.concurrency.answered(latency_s, self._lane.running, self._policy)

    def refused(self) -> None:
        """For more than the provider bears: too many calls, too slow, overloaded."""
        if self._started_at is not None:
            self._lane.concurrency.refused(self._started_at, _now(), self._policy)

    def leave(self) -> None:
        if self._started_at is not None:
            self._lane.held(_now() - self._started_at)
        self._lane.leave(self._policy)


class Dispatcher:
    def __init__(self, policy: PolicySource) -> None:
        self._policy = policy
        self._lanes: dict[str, Lane] = {}  # one per provider ever called
        self._holds: Mapping[str, Hold] = {}

    @asynccontextmanager
    async def place(
        self,
        provider: str,
        priority: Priority,
        *,
        arrived: float | None = None,
        within_s: float = float("inf"),
        call_id: str = "",
    ) -> AsyncIterator[Place]:
        """A place among the calls that run at `provider`; raises QueueFull.

        `arrived`, by the loop's clock, keeps a place in line for who comes again; TimeoutError is
        raised after `within_s`. Leaving the block, by whatever way, gives the place to the next one
        at once.
        """
        policy = self._policy.at(provider).dispatch
        lane = self._lane(provider)
        bound_s = min(within_s, policy.queue_wait_s)
        try:
            since = _now() if arrived is None else arrived
            await lane.enter(priority, since, bound_s, policy, call_id)
        except TimeoutError as error:
            if bound_s == within_s:
                raise
            lane.refused += 1
            raise QueueFull(
                f"No place at this provider came free within {bound_s:g} s.",
                retry_after_s=lane.expected_s(lane.waiting, policy),
            ) from error
        place = Place(lane, policy)
        try:
            yield place
        finally:
            place.leave()

    def hold(self, holds: Mapping[str, Hold]) -> None:
        """Pause or drain these providers, and no others; "*" is every one that is not named."""
        self._holds = holds
        for name, lane in self._lanes.items():
            if lane.hold != (wanted := self._hold_of(name)):
                lane.held_back(wanted, self._policy.at(name).dispatch)

    def running(self) -> dict[str, tuple[int, int]]:
        """Calls that run and that wait, by provider, in this process."""
        return {
            name: (lane.running, lane.waiting)
            for name, lane in self._lanes.items()
            if not lane.is_idle
        }

    def lanes(self) -> Mapping[str, LaneView]:
        """All providers called so far, with who waits there and for how long still."""
        return {name: self._view(name, lane) for name, lane in self._lanes.items()}

    def _view(self, provider: str, lane: Lane) -> LaneView:
        policy = self._policy.at(provider).dispatch
        waiting = tuple(lane.queue(policy, _now()))
        limit = lane.concurrency.limit(policy)
        return LaneView(lane.running, limit, waiting, lane.refused, lane.hold)

    def _lane(self, provider: str) -> Lane:
        lane = self._lanes.get(provider)
        if lane is None:
            lane = self._lanes[provider] = Lane()
            lane.hold = self._hold_of(provider)
        return lane

    def _hold_of(self, provider: str) -> Hold:
        return self._holds.get(provider) or self._holds.get("*") or ""


def _now() -> float:
    return asyncio.get_running_loop().time()

"""Calls that wait for an open breaker: one look in each process for all who wait behind it.

A breaker that closes lets all of them go on. A half-open one has room for its probes only, so that
many are woken; the others go on waiting until it is known what became of these.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.policy import PolicySource
from gateway.resilience.breaker import Breakers
from gateway.resilience.breaker_rules import BreakerState
from gateway.types import Target

_LOOK_AGAIN_S = 0.25  # what other processes' probes brought is found out so late at most

Turn = asyncio.Future[Target | None]


@dataclass(eq=False, slots=True)
class _Waiter:
    target: Target
    until: float  # by the clock
    turn: Turn  # shared by its call's waiters at other gates

    def wake(self, target: Target | None) -> None:
        if not self.turn.done():
            self.turn.set_result(target)


@dataclass(eq=False, slots=True)
class _Gate:
    """Who waits for the breakers of one offer, in the order in which they came."""

    waiters: dict[_Waiter, None] = field(default_factory=dict)
    watcher: asyncio.Task[None] | None = None


class Reopenings:
    def __init__(self, breakers: Breakers, policy: PolicySource, clock: Clock) -> None:
        self._breakers = breakers
        self._policy = policy
        self._clock = clock
        self._gates: dict[tuple[str, str], _Gate] = {}

    async def first(self, targets: Sequence[Target], within_s: float) -> Target | None:
        """The first whose breakers may let this call pass; None where none does in that time."""
        turn: Turn = asyncio.get_running_loop().create_future()
        until = self._clock.monotonic() + within_s
        waiters = [_Waiter(target, until, turn) for target in targets]
        for waiter in waiters:
            self._stand(waiter)
        try:
            return await turn
        finally:
            for waiter in waiters:
                self._leave(waiter)

    def _stand(self, waiter: _Waiter) -> None:
        name = _name(waiter.target)
        gate = self._gates.setdefault(name, _Gate())
        gate.waiters[waiter] = None
        if gate.watcher is None or gate.watcher.done():
            gate.watcher = asyncio.create_task(self._watch(gate, *name), name="breaker-watcher")

    def _leave(self, waiter: _Waiter) -> None:
        gate = self._gates[_name(waiter.target)]
        del gate.waiters[waiter]
        if not gate.waiters:
            del self._gates[_name(waiter.target)]
            if gate.watcher is not None:
                gate.watcher.cancel()

    async def _watch(self, gate: _Gate, provider: str, model: str) -> None:
        """Until it is cancelled, when nobody waits any more."""
        try:
            while True:
                room, again_s = await self._room(provider, model)
                waiting = [one for one in gate.waiters if not one.turn.done()]
                for waiter in waiting[:room]:
                    waiter.wake(waiter.target)
                now = self._clock.monotonic()
                for waiter in waiting[room:]:
                    if waiter.until <= now:
                        waiter.wake(None)
                await self._clock.sleep(again_s)
        finally:  # whatever happened, nobody may wait for a watcher that is gone
            for waiter in gate.waiters:
                waiter.wake(None)

    async def _room(self, provider: str, model: str) -> tuple[int | None, float]:
        """How many may try now, None for all; and after how many seconds to look again."""
        views = (await self._breakers.states([(provider, None), (provider, model)])).values()
        states = [one.state for one in views]
        if BreakerState.OPEN in states:
            cooled_s = max(one.retry_in_s for one in views)
            return 0, min(_LOOK_AGAIN_S, max(0.001, cooled_s))
        if any(one.is_probed for one in views):
            return 0, _LOOK_AGAIN_S
        if BreakerState.HALF_OPEN in states:
            return self._policy.at(provider, model).breaker.probes, _LOOK_AGAIN_S
        return None, _LOOK_AGAIN_S


def _name(target: Target) -> tuple[str, str]:
    return target.provider, target.model

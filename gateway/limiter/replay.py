"""Calls of the past sent once more through the limiter, by another policy: what would have waited.

The scripts in Redis decide, as they do for real calls; they are given the time at which each call
came, and keys of names that no provider bears. Nothing is sent to anybody.

What is not replayed: windows begin empty and warmed up, nobody refuses with a 429, breakers stay
closed, and each answer takes as long as it took.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.errors import RateLimited
from gateway.limiter.limiter import Limiter
from gateway.limiter.quota import Reservation, Settlement
from gateway.policy import Policy, PolicySource
from gateway.store import Store, StoreAwayError
from gateway.types import Target

_US = 1_000_000
_WARM_SINCE_US = 86_400 * _US
_AT_ONCE = 200  # calls between two looks at the progress
_LEFT_FOR_S = 600  # what a replay leaves in Redis when its process is killed


@dataclass(frozen=True, slots=True)
class PastTry:
    """One target a call was meant for, and how long it took there once it was sent."""

    target: Target
    took_s: float


@dataclass(frozen=True, slots=True)
class PastCall:
    at_us: int
    prompt_tokens: int
    tokens: int  # prompt and answer, as they were counted in the end
    tries: tuple[PastTry, ...]


@dataclass(slots=True)
class Replayed:
    """How a call fared: how long it waited in all, and which of its targets let it through.

    `place` is None where none did within the time that the policy lets it wait.
    """

    waited_s: float = 0.0
    place: int | None = None


@dataclass(slots=True)
class _Waiting:
    number: int
    place: int = 0
    waited_s: float = 0.0  # for this target


@dataclass(frozen=True, slots=True)
class _Ending:
    reservation: Reservation
    tokens: int


async def replay(
    store: Store,
    policy: PolicySource,
    calls: Sequence[PastCall],
    name: str,
    on_progress: Callable[[int], None] = lambda _: None,
) -> list[Replayed]:
    """In the order of `calls`, which are sorted by time. `name` keeps two replays apart.

    `on_progress` hears how many calls have come. Raises StoreAwayError without Redis.
    """
    running = _Replay(store, policy, calls, f"what-if {name} ")
    try:
        return await running.run(on_progress)
    finally:
        await running.forget()


class _Replay:
    def __init__(
        self, store: Store, policy: PolicySource, calls: Sequence[PastCall], prefix: str
    ) -> None:
        self._store = store
        self._policy = _Renamed(policy, prefix)
        self._clock = _GivenClock()
        self._limiter = Limiter(store, self._policy, self._clock)
        self._calls = calls
        self._prefix = prefix
        self._results = [Replayed() for _ in calls]
        self._numbers = itertools.count()
        self._events: list[tuple[int, int, _Waiting | _Ending]] = []
        self._targets: dict[Target, Target] = {}
        self._keys: set[str] = set()

    async def run(self, on_progress: Callable[[int], None]) -> list[Replayed]:
        for number, call in enumerate(self._calls):
            await self._pass_until(call.at_us)
            await self._arrive(call.at_us, _Waiting(number))
            if number % _AT_ONCE == _AT_ONCE - 1:
                await self._store.ask(*(("EXPIRE", key, _LEFT_FOR_S) for key in self._keys))
                on_progress(number + 1)
        await self._pass_until(None)
        return self._results

    async def forget(self) -> None:
        if self._keys and not self._store.is_degraded:
            await self._store.ask(("UNLINK", *self._keys))

    async def _pass_until(self, at_us: int | None) -> None:
        while self._events and (at_us is None or self._events[0][0] <= at_us):
            then_us, _, event = heapq.heappop(self._events)
            if isinstance(event, _Waiting):
                await self._arrive(then_us, event)
            else:
                self._clock.now_us = then_us
                settlement = Settlement(tokens=event.tokens, is_answered=True)
                # Awaited: a script that Redis has not seen yet would run after what comes next.
                await self._limiter.settle(event.reservation, settlement)

    async def _arrive(self, now_us: int, waiting: _Waiting) -> None:
        """Through to the first target that has room, or back later, or refused."""
        self._clock.now_us = now_us
        call, result = self._calls[waiting.number], self._results[waiting.number]
        while waiting.place < len(call.tries):
            past = call.tries[waiting.place]
            wait_s = await self._try(call, past, now_us)
            if wait_s == 0:
                result.place = waiting.place
                return
            is_last = waiting.place == len(call.tries) - 1
            if wait_s is not None and wait_s <= self._patience_s(past.target, waiting, is_last):
                waiting.waited_s += wait_s
                result.waited_s += wait_s
                self._later(now_us + int(wait_s * _US) + 1, waiting)
                return
            waiting.place, waiting.waited_s = waiting.place + 1, 0.0

    async def _try(self, call: PastCall, past: PastTry, now_us: int) -> float | None:
        """0 where it was let through, None where no waiting helps."""
        target = await self._renamed(past.target)
        try:
            reservation = await self._limiter.reserve(target, call.prompt_tokens, None)
        except RateLimited as refusal:
            return refusal.retry_after_s
        if reservation.is_local:
            raise StoreAwayError
        self._later(now_us + int(past.took_s * _US), _Ending(reservation, call.tokens))
        return 0

    def _patience_s(self, target: Target, waiting: _Waiting, is_last: bool) -> float:
        limiter = self._policy.at(self._prefix + target.provider, target.model).limiter
        most_s = limiter.max_wait_last_s if is_last else limiter.max_wait_s
        return most_s - waiting.waited_s

    def _later(self, at_us: int, event: _Waiting | _Ending) -> None:
        heapq.heappush(self._events, (at_us, next(self._numbers), event))

    async def _renamed(self, target: Target) -> Target:
        """Under a name of this replay; its quota is warm, as it was in the midst of the day."""
        if (known := self._targets.get(target)) is not None:
            return known
        renamed = self._targets[target] = replace(target, provider=self._prefix + target.provider)
        keys = self._limiter.bill(renamed, 0, None).quota.keys
        if not self._keys.issuperset(keys):
            self._keys.update(keys)
            since_us = self._clock.now_us - _WARM_SINCE_US
            await self._store.ask(("HSETNX", keys[0], "warm", since_us))
        return renamed


class _Renamed:
    """The policy of the providers behind the names of a replay."""

    def __init__(self, policy: PolicySource, prefix: str) -> None:
        self._policy = policy
        self._prefix = prefix

    def current(self) -> Policy:
        return self._policy.current()

    def at(self, provider: str, model: str = "") -> Policy:
        return self._policy.at(provider.removeprefix(self._prefix), model)


class _GivenClock:
    """The time at which something happened then."""

    now_us = 0

    def monotonic(self) -> float:
        return self.now_us / _US

    def unix(self) -> float:
        return self.now_us / _US

    def store_us(self) -> int:
        return self.now_us

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError("a replay waits for nobody")

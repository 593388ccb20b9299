"""Exact limits. Time is whole microseconds, because rounded floats admit one too many.

An entry made at `t` counts for every `now` with `t <= now < t + window`: no half-open interval
of the window's length ever holds more than the limit. Fixed windows promise that only for the
intervals aligned to the UTC clock, as providers that count so do.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.types import Limit, Unit

SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """How one limit stands: what is left, and when everything is free again."""

    limit: Limit
    used: int
    reset_us: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit.amount - self.used)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused; `wait_us` is None where no wait would help."""

    standing: Standing
    cost: int
    wait_us: int | None


class Counted(Protocol):
    """What one limit has counted."""

    limit: Limit

    def wait_us(self, now_us: int, cost: int) -> int | None: ...
    def add(self, now_us: int, cost: int) -> None: ...
    def standing(self, now_us: int) -> Standing: ...


class SlidingLog:
    """Remembers every admission of the last window."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._window_us = limit.window.seconds * SECOND_US
        self._entries: deque[tuple[int, int]] = deque()
        self._used = 0

    def wait_us(self, now_us: int, cost: int) -> int | None:
        if cost > self.limit.amount:
            return None
        self._forget(now_us)
        excess = self._used + cost - self.limit.amount
        if excess <= 0:
            return 0
        for at_us, entry_cost in self._entries:
            excess -= entry_cost
            if excess <= 0:
                return at_us + self._window_us - now_us
        return None  # unreachable while cost fits the limit

    def add(self, now_us: int, cost: int) -> None:
        self._entries.append((now_us, cost))
        self._used += cost

    def standing(self, now_us: int) -> Standing:
        self._forget(now_us)
        newest_us = self._entries[-1][0] if self._entries else now_us - self._window_us
        return Standing(self.limit, self._used, newest_us + self._window_us - now_us)

    def _forget(self, now_us: int) -> None:
        while self._entries and self._entries[0][0] + self._window_us <= now_us:
            self._used -= self._entries.popleft()[1]


class FixedWindow:
    """Counts from one full minute (hour, day ...) of the UTC clock to the next."""

    def __init__(self, limit: Limit, *, epoch_us: int) -> None:
        self.limit = limit
        self._window_us = limit.window.seconds * SECOND_US
        self._epoch_us = epoch_us  # Unix time at now_us == 0
        self._window_no = -1
        self._used = 0

    def wait_us(self, now_us: int, cost: int) -> int | None:
        if cost > self.limit.amount:
            return None
        self._turn(now_us)
        return 0 if self._used + cost <= self.limit.amount else self._left_us(now_us)

    def add(self, now_us: int, cost: int) -> None:
        self._turn(now_us)
        self._used += cost

    def standing(self, now_us: int) -> Standing:
        self._turn(now_us)
        return Standing(self.limit, self._used, self._left_us(now_us) if self._used else 0)

    def _turn(self, now_us: int) -> None:
        window_no = (self._epoch_us + now_us) // self._window_us
        if window_no != self._window_no:
            self._window_no, self._used = window_no, 0

    def _left_us(self, now_us: int) -> int:
        return self._window_us - (self._epoch_us + now_us) % self._window_us


class Meter:
    """All limits of one quota pool. It never awaits, so a decision and its count are one step."""

    def __init__(
        self, limits: tuple[Limit, ...], *, is_sliding: bool = True, epoch_us: int = 0
    ) -> None:
        self._counted: list[Counted] = [
            SlidingLog(one) if is_sliding else FixedWindow(one, epoch_us=epoch_us) for one in limits
        ]
        self._units = [one.unit for one in limits]
        self._published = limits

    def scale(self, factor: float) -> None:
        """Another part of the published limits is in force from now on; what is used stays."""
        for counted, limit in zip(self._counted, self._published, strict=True):
            counted.limit = replace(limit, amount=int(limit.amount * factor))

    def refusal(self, now_us: int, tokens: int) -> Refusal | None:
        """The limit that holds this request back longest, or None where all let it pass."""
        worst: Refusal | None = None
        for counted, unit in zip(self._counted, self._units, strict=True):
            cost = tokens if unit is Unit.TOKENS else 1
            wait_us = counted.wait_us(now_us, cost)
            if wait_us is None:
                return Refusal(counted.standing(now_us), cost, None)
            if wait_us > 0 and (worst is None or wait_us > (worst.wait_us or 0)):
                worst = Refusal(counted.standing(now_us), cost, wait_us)
        return worst

    def count(self, now_us: int, tokens: int) -> None:
        for counted, unit in zip(self._counted, self._units, strict=True):
            counted.add(now_us, tokens if unit is Unit.TOKENS else 1)

    def standings(self, now_us: int) -> list[Standing]:
        return [counted.standing(now_us) for counted in self._counted]

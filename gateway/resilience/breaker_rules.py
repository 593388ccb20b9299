"""A breaker's rules as a pure function of its state: the reference of what lua/*.lua does.

    closed --many fail or are slow--> open --cool-down over--> half-open --probe answers--> closed
                                       ^                          |
                                       +------ a probe fails -----+  at once, resting longer

Calls are counted in slots of a sliding window, which ends where it holds enough of them: it is
bounded in time and in number. Failures are weighed against the calls that entered, not against
those that ended: failures are often quick, so of a burst the first to end are the failed ones.
Who has not ended yet counts as not failed; who ended neutrally as not having come. And because a
share that is looked at after every call is passed by chance sooner or later, failures must lead
it: min_calls of them, and beyond those the share (the fixed barrier of a sequential test).

A provider that dies after many answers is found by its run of failures: twice min_calls and twice
the calls under way, of which any might still be answered.

Half-open is not stored: it is an open breaker whose cool-down is over. A person may force it open
or closed for a time; then nothing is judged. Integers, in microseconds. A clock that was set back
makes nobody wait for the hour to pass once more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

SLOTS = 10
_PROBED_US = 1_000_000  # the probes under way may end at any moment: worth another question


class Verdict(StrEnum):
    """How a call came out, as far as a breaker cares."""

    SUCCESS = "success"
    SLOW = "slow"  # answered, but so late that waiting for it does harm
    FAILURE = "failure"
    NEUTRAL = "neutral"  # cancelled, the caller's fault, a used-up quota


_BAD = (Verdict.SLOW, Verdict.FAILURE)


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Rules:
    """When one breaker opens and for how long it rests."""

    slot_us: int
    min_calls: int
    window_calls: int
    failure_rate: float
    slow_rate: float
    cooldown_us: int
    max_cooldown_us: int
    probes: int
    probe_ttl_us: int

    def cooldown_after(self, trips: int) -> int:
        """Doubled with every trip in a row."""
        return min(self.max_cooldown_us, self.cooldown_us << min(trips - 1, 30))

    def is_reached(self, failures: int, slow: int, total: int) -> bool:
        if total < self.min_calls:
            return False
        beyond = total - self.min_calls
        return (
            failures - self.min_calls >= self.failure_rate * beyond
            or slow - self.min_calls >= self.slow_rate * beyond
        )


@dataclass(frozen=True, slots=True)
class Forced:
    """By a person: open or closed until then, whatever the calls are like."""

    state: BreakerState
    until_us: int
    reason: str


@dataclass(slots=True)
class Counts:
    """Of one slot: the calls that entered in it, and how those came out that ended in it."""

    entered: int = 0
    ended: Counter[Verdict] = field(default_factory=Counter)

    def __iadd__(self, other: Counts) -> Self:
        self.entered += other.entered
        self.ended.update(other.ended)
        return self

    @property
    def total(self) -> int:
        """Calls to weigh failures against; those that entered before the window have ended."""
        neutral = self.ended[Verdict.NEUTRAL]
        return max(self.entered - neutral, self.ended.total() - neutral)

    @property
    def under_way(self) -> int:
        return max(0, self.entered - self.ended.total())


_NONE = Counts()


@dataclass(slots=True)
class Breaker:
    """`open_until_us` is 0 while closed; `trips` counts openings since it was last closed."""

    open_until_us: int = 0
    opened_at_us: int = 0
    trips: int = 0
    reason: str = ""
    counts: dict[int, Counts] = field(default_factory=dict)  # by slot
    run: int = 0  # failures since the last answer
    probes: dict[str, int] = field(default_factory=dict)  # call -> when it is given back
    forced: Forced | None = None

    def state(self, now_us: int) -> BreakerState:
        if forced := self.in_force(now_us):
            return forced.state
        if not self.open_until_us:
            return BreakerState.CLOSED
        is_cooling = self.opened_at_us <= now_us < self.open_until_us
        return BreakerState.OPEN if is_cooling else BreakerState.HALF_OPEN

    def in_force(self, now_us: int) -> Forced | None:
        return self.forced if self.forced and now_us < self.forced.until_us else None

    def why(self, now_us: int) -> str:
        forced = self.in_force(now_us)
        return forced.reason if forced else self.reason

    def wait_us(self, now_us: int, rules: Rules) -> int:
        """0 when a call may pass, else how long until it is worth asking again."""
        match self.state(now_us):
            case BreakerState.CLOSED:
                return 0
            case BreakerState.OPEN:
                forced = self.in_force(now_us)
                return (forced.until_us if forced else self.open_until_us) - now_us
        held = self._held(now_us, rules)
        return 0 if len(held) < rules.probes else min(min(held.values()) - now_us, _PROBED_US)

    def enter(self, call: str, now_us: int, rules: Rules) -> None:
        """Let a call pass that need not wait; in half-open it holds a probe from now on."""
        self.probes = self._held(now_us, rules)
        if self.in_force(now_us):
            return
        if self.state(now_us) is BreakerState.HALF_OPEN:
            self.probes[call] = now_us + rules.probe_ttl_us
        elif not self.open_until_us:
            self._slot(now_us // rules.slot_us).entered += 1

    def leave(self, call: str, verdict: Verdict, reason: str, now_us: int, rules: Rules) -> None:
        was_probe = call in self._held(now_us, rules)
        self.probes.pop(call, None)
        if self.in_force(now_us):
            return
        if was_probe:
            self._judge_probe(verdict, reason, now_us, rules)
        elif not self.open_until_us:
            self._count(verdict, reason, now_us, rules)
        # else: it began before the breaker opened and tells nothing new

    def _held(self, now_us: int, rules: Rules) -> dict[str, int]:
        last_us = now_us + rules.probe_ttl_us  # later ones are of a clock that was set back
        return {one: until for one, until in self.probes.items() if now_us < until <= last_us}

    def _judge_probe(self, verdict: Verdict, reason: str, now_us: int, rules: Rules) -> None:
        if verdict is Verdict.NEUTRAL:
            return
        if verdict is not Verdict.SUCCESS:
            self._open(reason, now_us, rules)
            return
        self.open_until_us, self.opened_at_us, self.trips, self.reason = 0, 0, 0, ""
        self.probes, self.counts, self.run, self.forced = {}, {}, 0, None

    def _count(self, verdict: Verdict, reason: str, now_us: int, rules: Rules) -> None:
        slot = now_us // rules.slot_us
        self._slot(slot).ended[verdict] += 1
        if verdict is Verdict.FAILURE:
            self.run += 1
        elif verdict is not Verdict.NEUTRAL:
            self.run = 0
        if verdict not in _BAD:
            return
        seen = Counts()
        for one in range(slot, slot - SLOTS, -1):
            seen += self.counts.get(one, _NONE)
            if seen.total >= rules.window_calls:
                break
        failures, slow = seen.ended[Verdict.FAILURE], seen.ended[Verdict.SLOW]
        is_run = self.run >= 2 * (rules.min_calls + seen.under_way)
        if is_run or rules.is_reached(failures, slow, seen.total):
            self._open(reason, now_us, rules)

    def _slot(self, slot: int) -> Counts:
        """To count in; what is not in the window that ends with it is forgotten."""
        for other in [one for one in self.counts if not slot - SLOTS < one <= slot]:
            del self.counts[other]
        return self.counts.setdefault(slot, Counts())

    def _open(self, reason: str, now_us: int, rules: Rules) -> None:
        self.trips += 1
        self.opened_at_us = now_us
        self.open_until_us = now_us + rules.cooldown_after(self.trips)
        self.reason = reason
        self.probes, self.counts, self.run, self.forced = {}, {}, 0, None

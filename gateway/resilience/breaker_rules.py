"""A breaker's rules as a pure function of its state: the reference of what lua/*.lua does.

    closed --failure rate reached--> open --cool-down over--> half-open --probe answers--> closed
                                      ^                          |
                                      +------ a probe fails -----+  at once, with a longer cool-down

Calls are counted in slots of a sliding window. Half-open is not stored: it is an open breaker
whose cool-down is over. Integers, in microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

SLOTS = 10


class Verdict(StrEnum):
    """How a call came out, as far as a breaker cares."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"  # cancelled, the caller's fault, a used-up quota


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Rules:
    """When one breaker opens and for how long it rests."""

    slot_us: int
    min_calls: int
    failure_rate: float
    cooldown_us: int
    max_cooldown_us: int
    probes: int
    probe_ttl_us: int

    def cooldown_after(self, trips: int) -> int:
        """Doubled with every trip in a row."""
        return min(self.max_cooldown_us, self.cooldown_us << min(trips - 1, 30))


@dataclass(slots=True)
class Breaker:
    """`open_until_us` is 0 while closed; `trips` counts openings since it was last closed."""

    open_until_us: int = 0
    trips: int = 0
    reason: str = ""
    failures: dict[int, int] = field(default_factory=dict)  # slot -> count
    successes: dict[int, int] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)  # call -> when it is given back

    def state(self, now_us: int) -> BreakerState:
        if not self.open_until_us:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_us < self.open_until_us else BreakerState.HALF_OPEN

    def wait_us(self, now_us: int, rules: Rules) -> int:
        """0 when a call may pass, else how long until it is worth asking again."""
        if self.state(now_us) is not BreakerState.HALF_OPEN:
            return max(0, self.open_until_us - now_us)
        held = [until for until in self.probes.values() if until > now_us]
        return 0 if len(held) < rules.probes else min(held) - now_us

    def enter(self, call: str, now_us: int, rules: Rules) -> None:
        """Let a call pass that need not wait; in half-open it holds a probe from now on."""
        self.probes = {one: until for one, until in self.probes.items() if until > now_us}
        if self.state(now_us) is BreakerState.HALF_OPEN:
            self.probes[call] = now_us + rules.probe_ttl_us

    def leave(self, call: str, verdict: Verdict, reason: str, now_us: int, rules: Rules) -> None:
        was_probe = self.probes.pop(call, 0) > now_us
        if verdict is Verdict.NEUTRAL:
            return
        if was_probe:
            self._judge_probe(verdict, reason, now_us, rules)
        elif not self.open_until_us:
            self._count(verdict, reason, now_us, rules)
        # else: it began before the breaker opened and tells nothing new

    def _judge_probe(self, verdict: Verdict, reason: str, now_us: int, rules: Rules) -> None:
        if verdict is Verdict.FAILURE:
            self._open(reason, now_us, rules)
            return
        self.open_until_us, self.trips, self.reason = 0, 0, ""
        self.probes, self.failures, self.successes = {}, {}, {}

    def _count(self, verdict: Verdict, reason: str, now_us: int, rules: Rules) -> None:
        slot = now_us // rules.slot_us
        counts = self.failures if verdict is Verdict.FAILURE else self.successes
        counts[slot] = counts.get(slot, 0) + 1
        for old in [one for one in counts if one <= slot - SLOTS]:
            del counts[old]
        if verdict is not Verdict.FAILURE:
            return
        failures = _sum(self.failures, slot)
        total = failures + _sum(self.successes, slot)
        if total >= rules.min_calls and failures >= rules.failure_rate * total:
            self._open(reason, now_us, rules)

    def _open(self, reason: str, now_us: int, rules: Rules) -> None:
        self.trips += 1
        self.open_until_us = now_us + rules.cooldown_after(self.trips)
        self.reason = reason
        self.probes, self.failures, self.successes = {}, {}, {}


def _sum(counts: dict[int, int], slot: int) -> int:
    return sum(count for one, count in counts.items() if one > slot - SLOTS)

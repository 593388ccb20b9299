"""Windows in which quotas are counted: the reference of what lua/*.lua does in Redis.

Why no token bucket: a bucket as large as the quota admits nearly twice the quota within one
window (a full bucket, then its refill), and free quotas get keys banned for overspending; a
bucket small enough never to do so wastes what it holds back. Counted in slots, no window,
wherever it begins, holds more than the amount: so the provider may count in fixed, rolling or
bucket form. The price is one slot's delay: 1/51 of the quota is left unused under full load.

Where a provider's midnight is known, the whole day is one slot (`Calendar`), and the count is
free again right after it.

Integers throughout, in microseconds: a float wait can round to "almost now" and refuse a caller
who waited exactly as told.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from gateway.types import Limit

SLOTS = 50
_US = 1_000_000
# A provider's clock and ours may differ by so much around its midnight. Calls that close to it
# count for both days, so that neither day holds more than its amount by either clock.
MARGIN_US = 5 * _US


class Span(Protocol):
    """Over which time something is counted. Slots are numbers that grow with time."""

    @property
    def spec(self) -> str:
        """The same for the scripts; lua/window.lua reads it."""

    def slot(self, at_us: int) -> int:
        """Where what is used now is counted."""

    def oldest(self, now_us: int) -> int:
        """The first slot that still counts."""

    def frees_at_us(self, slot: int) -> int:
        """When what was counted in `slot` counts no more."""

    def dated(self, now_us: int, reset_us: int) -> int:
        """The slot that is free again in about `reset_us`."""


@dataclass(frozen=True, slots=True)
class Window:
    """`amount` over `slots` slots of `slot_us` each, sliding; 0 is a quota of nothing."""

    amount: int
    slot_us: int
    slots: int = SLOTS

    @classmethod
    def of(cls, limit: Limit) -> Window:
        return cls(limit.amount, limit.window.seconds * _US // SLOTS)

    @property
    def spec(self) -> str:
        return f"s{self.slot_us}/{self.slots}"

    @property
    def length_us(self) -> int:
        return self.slot_us * self.slots

    def slot(self, at_us: int) -> int:
        return at_us // self.slot_us

    def oldest(self, now_us: int) -> int:
        return self.slot(now_us) - self.slots

    def frees_at_us(self, slot: int) -> int:
        """A window after the slot's end."""
        return (slot + self.slots + 1) * self.slot_us

    def dated(self, now_us: int, reset_us: int) -> int:
        slot = self.slot(now_us + reset_us - self.length_us)
        return min(self.slot(now_us), max(self.oldest(now_us), slot))


@dataclass(frozen=True, slots=True)
class Calendar:
    """`amount` from one of the `edges_us` to the next: a provider's days or months.

    A slot is a period, named by the second in which it begins.
    """

    amount: int
    edges_us: tuple[int, ...]

    @property
    def spec(self) -> str:
        return "c" + " ".join(str(one) for one in self.edges_us)

    def slot(self, at_us: int) -> int:
        return self._edge_before(at_us + MARGIN_US) // _US

    def oldest(self, now_us: int) -> int:
        return self._edge_before(now_us - MARGIN_US) // _US

    def frees_at_us(self, slot: int) -> int:
        after = bisect_right(self.edges_us, slot * _US)
        return self.edges_us[min(after, len(self.edges_us) - 1)] + MARGIN_US

    def dated(self, now_us: int, reset_us: int) -> int:
        return self.slot(now_us)

    def _edge_before(self, at_us: int) -> int:
        return self.edges_us[max(0, bisect_right(self.edges_us, at_us) - 1)]


@dataclass(frozen=True, slots=True)
class Decision:
    """`retry_after_us` is 0 when admitted, None when no waiting helps."""

    admitted: bool
    retry_after_us: int | None = 0


Counts = Mapping[int, int]  # slot -> what was used in it


def used(counts: Counts, span: Span, now_us: int) -> int:
    oldest = span.oldest(now_us)
    return sum(count for slot, count in counts.items() if slot >= oldest)


def decide(counts: Counts, window: Window | Calendar, now_us: int, cost: int) -> Decision:
    """Whether `cost` more fits now, else when it will if nobody else comes."""
    if cost > window.amount or window.amount == 0:
        return Decision(admitted=False, retry_after_us=None)
    excess = used(counts, window, now_us) + cost - window.amount
    if excess <= 0:
        return Decision(admitted=True)
    oldest = window.oldest(now_us)
    for slot in sorted(slot for slot in counts if slot >= oldest):
        excess -= counts[slot]
        if excess <= 0:
            return Decision(admitted=False, retry_after_us=window.frees_at_us(slot) - now_us)
    raise AssertionError("an empty window admits every cost up to its amount")


def observed_charge(
    counts: Counts, window: Window | Calendar, now_us: int, remaining: int, reset_us: int | None
) -> tuple[int, int]:
    """Slot and amount to add so that no more than `remaining` is left, as a provider said.

    Only ever lowers what is left: calls under way are counted here before they are there. The
    charge is dated so that it ends when the provider's window does.
    """
    missing = window.amount - remaining - used(counts, window, now_us)
    slot = window.slot(now_us) if reset_us is None else window.dated(now_us, reset_us)
    return slot, max(0, missing)

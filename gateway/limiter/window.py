"""A sliding window counted in slots: the reference of what lua/*.lua does in Redis.

Why no token bucket: a bucket as large as the quota admits nearly twice the quota within one
window (a full bucket, then its refill), and free quotas get keys banned for overspending; a
bucket small enough never to do so wastes what it holds back. Counted in slots, no window,
wherever it begins, holds more than the amount: so the provider may count in fixed, rolling or
bucket form. The price is one slot's delay: 1/51 of the quota is left unused under full load.

Integers throughout, in microseconds: a float wait can round to "almost now" and refuse a caller
who waited exactly as told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.types import Limit

SLOTS = 50
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """`amount` over `slots` slots of `slot_us` each; 0 is a quota of nothing."""

    amount: int
    slot_us: int
    slots: int = SLOTS

    @classmethod
    def of(cls, limit: Limit) -> Window:
        return cls(limit.amount, limit.window.seconds * _US // SLOTS)

    @property
    def length_us(self) -> int:
        return self.slot_us * self.slots

    def slot(self, at_us: int) -> int:
        return at_us // self.slot_us

    def frees_at_us(self, slot: int) -> int:
        """When what was counted in `slot` counts no more: a window after the slot's end."""
        return (slot + self.slots + 1) * self.slot_us


@dataclass(frozen=True, slots=True)
class Decision:
    """`retry_after_us` is 0 when admitted, None when no waiting helps."""

    admitted: bool
    retry_after_us: int | None = 0


Counts = Mapping[int, int]  # slot -> what was used in it


def used(counts: Counts, window: Window, now_us: int) -> int:
    oldest = window.slot(now_us) - window.slots
    return sum(count for slot, count in counts.items() if slot >= oldest)


def decide(counts: Counts, window: Window, now_us: int, cost: int) -> Decision:
    """Whether `cost` more fits now, else when it will if nobody else comes."""
    if cost > window.amount or window.amount == 0:
        return Decision(admitted=False, retry_after_us=None)
    excess = used(counts, window, now_us) + cost - window.amount
    if excess <= 0:
        return Decision(admitted=True)
    oldest = window.slot(now_us) - window.slots
    for slot in sorted(slot for slot in counts if slot >= oldest):
        excess -= counts[slot]
        if excess <= 0:
            return Decision(admitted=False, retry_after_us=window.frees_at_us(slot) - now_us)
    raise AssertionError("an empty window admits every cost up to its amount")


def observed_charge(
    counts: Counts, window: Window, now_us: int, remaining: int, reset_us: int | None
) -> tuple[int, int]:
    """Slot and amount to add so that no more than `remaining` is left, as a provider said.

    Only ever lowers what is left: calls under way are counted here before they are there. The
    charge is dated so that it ends when the provider's window does.
    """
    missing = window.amount - remaining - used(counts, window, now_us)
    current = window.slot(now_us)
    if reset_us is None:
        return current, max(0, missing)
    dated = window.slot(now_us + reset_us - window.length_us)
    return min(current, max(current - window.slots, dated)), max(0, missing)

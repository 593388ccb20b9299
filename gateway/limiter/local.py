"""One process' own count, for the time Redis is away. It never knows what others use."""

from __future__ import annotations

import time
from collections import OrderedDict

from gateway.limiter.quota import Quota, Reservation, windows
from gateway.limiter.window import Window, decide

_POOLS = 10_000
_US = 1_000_000


class _Pool:
    __slots__ = ("blocked_until_us", "counts")

    def __init__(self, number_of_windows: int) -> None:
        self.blocked_until_us = 0
        self.counts: list[dict[int, int]] = [{} for _ in range(number_of_windows)]


class LocalLimiter:
    """Counts every call of this process, so that the share is right from the first moment on."""

    def __init__(self) -> None:
        self._pools: OrderedDict[tuple[str, ...], _Pool] = OrderedDict()

    def wait_us(self, quota: Quota, costs: tuple[int, ...], share: float) -> int | None:
        """0 when the call fits this process' share now, None when it never will."""
        pool, now_us = self._pool(quota), _now_us()
        worst = max(0, pool.blocked_until_us - now_us)
        for window, counts, cost in zip(
            windows(quota.limits, share), pool.counts, costs, strict=True
        ):
            decision = decide(counts, window, now_us, min(cost, max(1, window.amount)))
            if decision.retry_after_us is None:
                return None
            worst = max(worst, decision.retry_after_us)
        return worst

    def take(self, quota: Quota, costs: tuple[int, ...]) -> Reservation:
        now_us = _now_us()
        for window, counts, cost in zip(
            windows(quota.limits), self._pool(quota).counts, costs, strict=True
        ):
            _add(counts, window, now_us, now_us, cost)
        return Reservation(quota, costs, now_us, is_local=True)

    def give_back(self, reservation: Reservation, costs: tuple[int, ...]) -> None:
        now_us = _now_us()
        for window, counts, cost in zip(
            windows(reservation.quota.limits),
            self._pool(reservation.quota).counts,
            costs,
            strict=True,
        ):
            _add(counts, window, now_us, reservation.at_us, -cost)

    def block(self, quota: Quota, block_s: float) -> None:
        pool = self._pool(quota)
        pool.blocked_until_us = max(pool.blocked_until_us, _now_us() + int(block_s * _US))

    def _pool(self, quota: Quota) -> _Pool:
        """The pools used last are kept: there are never as many keys and offers as that."""
        pool = self._pools.setdefault(quota.keys, _Pool(len(quota.limits)))
        self._pools.move_to_end(quota.keys)
        if len(self._pools) > _POOLS:
            self._pools.popitem(last=False)
        return pool


def _add(counts: dict[int, int], window: Window, now_us: int, at_us: int, amount: int) -> None:
    slot = window.slot(at_us)
    counts[slot] = max(0, counts.get(slot, 0) + amount)
    oldest = window.slot(now_us) - window.slots
    for gone in [slot for slot in counts if slot < oldest]:
        del counts[gone]


def _now_us() -> int:
    return time.monotonic_ns() // 1000

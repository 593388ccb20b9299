"""Reserve before a call, settle after it; atomically in Redis for all processes together."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.clock import Clock
from gateway.doors import Door, Doors, Passage, pass_doors
from gateway.errors import RateLimited
from gateway.limiter.local import LocalLimiter
from gateway.limiter.quota import (
    Level,
    LimitLevel,
    Quota,
    Reading,
    Reservation,
    Settlement,
    windows,
)
from gateway.policy import PolicySource
from gateway.store import Script, Store, StoreAwayError
from gateway.types import Limit, Target

_SETTLE = Script("lua/time.lua", "limiter/lua/window.lua", "limiter/lua/settle.lua")
_PEEK = Script("lua/time.lua", "limiter/lua/window.lua", "limiter/lua/peek.lua")
_US = 1_000_000
_OWED = 10_000  # settlements kept while Redis is away


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call will take from its quota, as far as can be known before."""

    quota: Quota
    costs: tuple[int, ...]

    @property
    def args(self) -> list[int]:
        args: list[int] = []
        for window, cost in zip(windows(self.quota.limits), self.costs, strict=True):
            args += (window.amount, cost, window.slot_us, window.slots)
        return args


class Limiter:
    def __init__(self, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._local = LocalLimiter()
        self._owed: deque[tuple[Sequence[str], list[int]]] = deque(maxlen=_OWED)
        store.when_back(self._pay)

    def bill(self, target: Target, prompt_tokens: int, max_tokens: int | None) -> Bill:
        quota = Quota.of(target)
        wished = max_tokens or self._policy.current().limiter.default_completion_tokens
        return Bill(quota, quota.costs(prompt_tokens, wished))

    async def reserve(
        self, target: Target, prompt_tokens: int, max_tokens: int | None
    ) -> Reservation:
        """Take from every window of the target's quota, or raise RateLimited and take nothing.

        For itself alone; a call passes its key's rest and its breakers in the same step.
        """
        bill = self.bill(target, prompt_tokens, max_tokens)
        doors = Doors(quota=Door(bill.quota.keys, bill.args))
        try:
            reply = await pass_doors(self._store, self._clock.store_us(), doors)
        except StoreAwayError:
            return self.reserve_alone(bill)
        passage = Passage.read(reply)
        if passage.in_the_way:
            raise self.refusal(bill, passage.number, passage.wait_us)
        return self.taken(bill, passage.now_us)

    def taken(self, bill: Bill, now_us: int) -> Reservation:
        """The reservation Redis has made; this process counts it too."""
        self._local.take(bill.quota, bill.costs)
        return Reservation(bill.quota, bill.costs, now_us)

    def refusal(self, bill: Bill, number: int, wait_us: int) -> RateLimited:
        return _refusal(bill.quota, wait_us, bill.quota.limits[number - 1] if number else None)

    def reserve_alone(self, bill: Bill) -> Reservation:
        """While Redis is away: this process' share."""
        share = self._policy.current().limiter.degraded_share
        wait_us = self._local.wait_us(bill.quota, bill.costs, share)
        if wait_us == 0:
            return self._local.take(bill.quota, bill.costs)
        raise _refusal(bill.quota, -1 if wait_us is None else wait_us, None)

    def settle(self, reservation: Reservation, settlement: Settlement) -> asyncio.Future[Any]:
        """Put the real usage in place of the estimate and note what the provider said."""
        quota = reservation.quota
        differences = tuple(
            settlement.real_cost(limit, cost) - cost
            for limit, cost in zip(quota.limits, reservation.costs, strict=True)
        )
        self._settle_local(reservation, differences, settlement.block_s)
        return self._change(reservation, differences, settlement)

    def cancel(self, reservation: Reservation) -> asyncio.Future[Any]:
        """Give everything back: the provider never saw the call."""
        differences = tuple(-cost for cost in reservation.costs)
        self._settle_local(reservation, differences, 0)
        return self._change(reservation, differences, Settlement())

    async def levels(self, targets: Sequence[Target]) -> dict[Target, Level]:
        """How full each target's quota is, in one round trip; unknown while Redis is away."""
        quotas = {target: Quota.of(target) for target in targets}
        different = list(dict.fromkeys(quotas.values()))

        peeks = [self._store.run(_PEEK, quota.keys, self._peek_args(quota)) for quota in different]
        try:
            replies = await asyncio.gather(*peeks)
        except StoreAwayError:
            return {target: Level(is_known=False) for target in targets}
        found = {
            quota: _level(quota, reply) for quota, reply in zip(different, replies, strict=True)
        }
        return {target: found[quota] for target, quota in quotas.items()}

    def _settle_local(
        self, reservation: Reservation, differences: tuple[int, ...], block_s: float
    ) -> None:
        if reservation.is_local:
            self._local.give_back(reservation, tuple(-one for one in differences))
        if block_s:
            self._local.block(reservation.quota, block_s)

    def _change(
        self, reservation: Reservation, differences: tuple[int, ...], settlement: Settlement
    ) -> asyncio.Future[Any]:
        """What was taken alone is told in full once Redis is there again."""
        quota = reservation.quota
        if reservation.is_local:
            differences = tuple(
                cost + one for cost, one in zip(reservation.costs, differences, strict=True)
            )
        args = self._settle_args(reservation, differences, settlement)
        told = self._store.run(_SETTLE, quota.keys, args)
        told.add_done_callback(partial(self._owe, quota.keys, args))
        return told

    def _owe(self, keys: Sequence[str], args: list[int], told: asyncio.Future[Any]) -> None:
        if not told.cancelled() and isinstance(told.exception(), StoreAwayError):
            self._owed.append((keys, args))

    async def _pay(self) -> None:
        """Tell Redis what was used and learned while it was away."""
        while self._owed:
            quota_keys, args = self._owed.popleft()
            try:
                await self._store.run(_SETTLE, quota_keys, args)
            except StoreAwayError:
                self._owed.appendleft((quota_keys, args))
                return

    def _settle_args(
        self, reservation: Reservation, differences: tuple[int, ...], settlement: Settlement
    ) -> list[int]:
        block_us = math.ceil(settlement.block_s * _US)
        args = [self._clock.store_us(), reservation.at_us, block_us]
        limits = reservation.quota.limits
        for limit, window, difference in zip(limits, windows(limits), differences, strict=True):
            said = settlement.readings.get(limit, Reading())
            args += [window.amount, difference, window.slot_us, window.slots]
            args += [-1 if one is None else one for one in (said.remaining, said.reset_us)]
        return args

    def _peek_args(self, quota: Quota) -> list[int]:
        args = [self._clock.store_us()]
        for window in windows(quota.limits):
            args += [window.amount, window.slot_us, window.slots]
        return args


def _refusal(quota: Quota, wait_us: int, limit: Limit | None) -> RateLimited:
    if limit is None:
        what = "This quota rests"
    else:
        what = f"The quota of {limit.amount} {limit.unit} a {limit.window} is used up"
    if wait_us >= 0:
        return RateLimited(f"{what}.", retry_after_s=wait_us / _US)
    if limit is not None and limit.amount:
        return RateLimited(
            f"The request is larger than the whole quota of {limit.amount} {limit.unit} "
            f"a {limit.window}."
        )
    return RateLimited(f"{quota.provider} gives nothing here: the quota is 0.")


def _level(quota: Quota, reply: Sequence[int]) -> Level:
    blocked_us, rest = reply[0], reply[1:]
    levels = []
    for at, limit in enumerate(quota.limits):
        used, wait_us, free_us = rest[3 * at : 3 * at + 3]
        levels.append(
            LimitLevel(
                limit=limit,
                left=max(0, limit.amount - used),
                resets_in_s=free_us / _US,
                wait_s=None if wait_us < 0 else wait_us / _US,
            )
        )
    return Level(tuple(levels), blocked_for_s=blocked_us / _US)

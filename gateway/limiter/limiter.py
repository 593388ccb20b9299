"""Reserve before a call, settle after it; atomically in Redis for all processes together."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gateway.clock import Clock
from gateway.doors import Door, Doors, Passage, pass_doors
from gateway.errors import RateLimited
from gateway.limiter.levels import level_of
from gateway.limiter.line import Costs, Lines, Waiter
from gateway.limiter.local import LocalLimiter
from gateway.limiter.quota import Level, Quota, Reading, Refusal, Reservation, Settlement
from gateway.limiter.survey import SURVEY, PoolName, Survey, at_s, view_of
from gateway.policy import LimiterPolicy, Policy, PolicySource
from gateway.store import Script, Store, StoreAwayError
from gateway.types import Limit, Target

_SETTLE = Script(
    "lua/time.lua",
    "limiter/lua/window.lua",
    "limiter/lua/limits.lua",
    "limiter/lua/settle.lua",
)
_PEEK = Script(
    "lua/time.lua", "limiter/lua/window.lua", "limiter/lua/limits.lua", "limiter/lua/peek.lua"
)
_US = 1_000_000
_OWED = 10_000  # settlements kept while Redis is away


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call will take from its quota, as far as can be known before, by which policy."""

    quota: Quota
    costs: Costs
    basis: Policy
    model: str

    @property
    def policy(self) -> LimiterPolicy:
        return self.basis.limiter


@dataclass(slots=True)
class Stand:
    """How a call stands for its quota: how far its priority puts it back, how long it would wait.

    `due_us`, since when it waits, is 0 until it was refused once.
    """

    rank_us: int = 0
    would_wait_s: float = 0.0
    due_us: int = 0
    bill: Bill | None = None
    waiter: Waiter | None = None

    def leave(self, *, has_passed: bool) -> None:
        """Give up its place in line, if it has one."""
        if self.waiter is not None:
            self.waiter.leave(has_passed=has_passed)
            self.waiter = None


class Limiter:
    def __init__(self, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._local = LocalLimiter()
        self._process = uuid.uuid4().hex[:12]
        self.lines = Lines(clock, self._drop_ticket)
        self._owed: deque[tuple[Sequence[str], list[int | str]]] = deque(maxlen=_OWED)
        store.when_back(self._pay)

    def bill(self, target: Target, prompt_tokens: int, max_tokens: int | None) -> Bill:
        policy = self._policy.at(target.provider, target.model)
        quota = Quota.of(target, policy)
        wished = max_tokens or policy.limiter.default_completion_tokens
        return Bill(quota, quota.costs(prompt_tokens, wished), policy, target.model)

    def holds(self, bill: Bill) -> bool:
        """Whether the policy is still the one it was made by."""
        return self._policy.at(bill.quota.provider, bill.model) is bill.basis

    def door(self, bill: Bill, stand: Stand) -> Door:
        """What the script needs to take the bill, or to put the caller into the line."""
        quota, policy = bill.quota, bill.policy
        second = stand.waiter.next_due if stand.waiter else None
        args: list[int | float | str] = [
            self._process,
            stand.due_us,
            stand.rank_us,
            int(stand.would_wait_s * _US),
            *_warm(policy),
            second.due_us if second else 0,
        ]
        nothing = (0,) * len(bill.costs)
        ahead = nothing
        if stand.waiter is None and (line := self.lines.at(quota)):
            ahead = line.needed_ahead(stand.rank_us)
        following = second.costs if second else nothing
        specs = quota.specs(self._now_us(), policy.unknown_start)
        for limit, cost, before, after, spec in zip(
            quota.limits, bill.costs, ahead, following, specs, strict=True
        ):
            args += (limit.amount, cost, before, after, spec)
        return Door(quota.keys, args)

    async def reserve(
        self,
        target: Target,
        prompt_tokens: int,
        max_tokens: int | None,
        stand: Stand | None = None,
    ) -> Reservation:
        """Take from every window of the target's quota, or raise RateLimited and take nothing.

        For itself alone; a call passes its key's rest and its breakers in the same step.
        """
        bill, stand = self.bill(target, prompt_tokens, max_tokens), stand or Stand()
        doors = Doors(quota=self.door(bill, stand))
        try:
            reply = await pass_doors(self._store, self._clock.store_us(), doors)
        except StoreAwayError:
            return self.reserve_alone(bill, stand)
        passage = Passage.read(reply)
        if passage.in_the_way:
            raise self.refusal(bill, passage, stand)
        return self.taken(bill, passage.now_us)

    def taken(self, bill: Bill, now_us: int) -> Reservation:
        """The reservation Redis has made; this process counts it too."""
        self._local.take(bill.quota, bill.costs)
        return Reservation(bill.quota, bill.costs, now_us, bill.model)

    def refusal(self, bill: Bill, passage: Passage, stand: Stand) -> RateLimited:
        stand.due_us = stand.due_us or passage.now_us + stand.rank_us
        number = passage.number
        limit = bill.quota.limits[number - 1] if number else None
        return _refusal(bill.quota, passage.wait_us, limit, int(passage.why or 0))

    def reserve_alone(self, bill: Bill, stand: Stand) -> Reservation:
        """While Redis is away: this process' share."""
        wait_us = self._local.wait_us(bill.quota, bill.costs, bill.policy.degraded_share)
        if wait_us == 0:
            return replace(self._local.take(bill.quota, bill.costs), model=bill.model)
        stand.due_us = stand.due_us or self._now_us() + stand.rank_us
        raise _refusal(bill.quota, -1 if wait_us is None else wait_us, None, 0)

    def stand_in_line(self, bill: Bill, stand: Stand, wait_s: float) -> tuple[Waiter, float]:
        """Join the line, or stay in it, for what was refused; and the seconds that will take.

        `wait_s` is what Redis said. It did not know of calls of this process that joined meanwhile.
        """
        waiter, ahead = stand.waiter, None
        if waiter is None:
            if line := self.lines.at(bill.quota):
                ahead = line.needed_ahead(stand.rank_us)
            waiter = self.lines.join(bill.quota, bill.costs, stand.due_us, stand.rank_us)
            stand.waiter = waiter
        waiter.told(wait_s)
        return waiter, max(wait_s, _rounds_s(bill, ahead) if ahead else 0.0)

    def forsake(self, quota: Quota) -> None:
        """Somebody left while Redis put him into the line."""
        if self.lines.at(quota) is None:
            self._drop_ticket(quota)

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

    async def learn(self, target: Target, amounts: Mapping[str, int]) -> None:
        """Note what the provider said of these limits, as if an answer's headers had.

        While Redis is away that is owed to it.
        """
        quota = Quota.of(target, self._policy.at(target.provider, target.model))
        readings = {
            one: Reading(amount=amounts[one.name]) for one in quota.limits if one.name in amounts
        }
        nothing = Reservation(quota, (0,) * len(quota.limits), self._now_us())
        with suppress(StoreAwayError):
            await self._change(nothing, nothing.costs, Settlement(readings=readings))

    async def levels(self, targets: Sequence[Target]) -> dict[Target, Level]:
        """How full each target's quota is, in one round trip; unknown while Redis is away."""
        quotas, by_quota = self._quotas(targets)
        peeks = [
            self._store.run(_PEEK, quota.keys, self._peek_args(quota, policy))
            for quota, policy in by_quota.items()
        ]
        try:
            replies = await asyncio.gather(*peeks)
        except StoreAwayError:
            return {target: Level(is_known=False) for target in targets}
        found = {
            quota: level_of(quota, reply) for quota, reply in zip(by_quota, replies, strict=True)
        }
        return {target: found[quota] for target, quota in quotas.items()}

    async def survey(self, targets: Sequence[Target]) -> Survey:
        """All that is known of the targets' quotas, in one round trip; raises StoreAwayError."""
        _, by_quota = self._quotas(targets)
        replies = await asyncio.gather(
            *(
                self._store.run(SURVEY, quota.keys, self._peek_args(quota, policy))
                for quota, policy in by_quota.items()
            )
        )
        pools = {
            PoolName(quota.provider, quota.key_id, quota.pool): view_of(
                quota, reply, policy, line.length if (line := self.lines.at(quota)) else 0
            )
            for (quota, policy), reply in zip(by_quota.items(), replies, strict=True)
        }
        return Survey(at_s(replies[0]) if replies else 0.0, pools)

    def _quotas(
        self, targets: Sequence[Target]
    ) -> tuple[dict[Target, Quota], dict[Quota, LimiterPolicy]]:
        policies = {one: self._policy.at(one.provider, one.model) for one in targets}
        quotas = {one: Quota.of(one, policies[one]) for one in targets}
        return quotas, {quota: policies[target].limiter for target, quota in quotas.items()}

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
        gives_back = any(one < 0 for one in differences)
        if reservation.is_local:
            differences = tuple(
                cost + one for cost, one in zip(reservation.costs, differences, strict=True)
            )
        args = self._settle_args(reservation, differences, settlement)
        told = self._store.run(_SETTLE, quota.keys, args)
        told.add_done_callback(partial(self._owe, quota.keys, args))
        if gives_back:
            self.lines.ring(quota)  # asked after this, so it finds what was given back
        return told

    def _drop_ticket(self, quota: Quota) -> None:
        """Nobody of this process waits for it any more."""
        self._store.ask(("HDEL", quota.keys[0], f"t:{self._process}"))

    def _owe(self, keys: Sequence[str], args: list[int | str], told: asyncio.Future[Any]) -> None:
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
    ) -> list[Any]:
        quota = reservation.quota
        policy = self._policy.at(quota.provider, reservation.model).limiter
        args: list[Any] = [
            self._clock.store_us(),
            reservation.at_us,
            math.ceil(settlement.block_s * _US),
            _number_refused(quota, settlement.refused),
            int(settlement.is_answered),
            policy.decrease,
            policy.least_share,
            policy.growth,
            policy.hold_windows,
            int(policy.said_limit_trust_s * _US),
        ]
        specs = quota.specs(self._now_us(), policy.unknown_start)
        for limit, cost, difference, spec in zip(
            quota.limits, reservation.costs, differences, specs, strict=True
        ):
            args += (limit.amount, cost, difference, spec)
            args += _said(settlement.readings.get(limit))
        return args

    def _peek_args(self, quota: Quota, policy: LimiterPolicy) -> list[Any]:
        args: list[Any] = [self._clock.store_us(), *_warm(policy)]
        specs = quota.specs(self._now_us(), policy.unknown_start)
        for limit, spec in zip(quota.limits, specs, strict=True):
            args += (limit.amount, spec)
        return args

    def _now_us(self) -> int:
        """By this machine's clock: near enough to tell which days are near."""
        return int(self._clock.unix() * _US)


def _warm(policy: LimiterPolicy) -> tuple[float, int, int]:
    warmup_us = int(policy.warmup_s * _US) if policy.warmup_share < 1 else 0
    return policy.warmup_share, warmup_us, policy.warmup_least


_NOT_SAID = (-1, -1, -1)


def _said(reading: Reading | None) -> tuple[int, int, int]:
    if reading is None:
        return _NOT_SAID
    remaining, reset_us, amount = (
        -1 if one is None else one for one in (reading.remaining, reading.reset_us, reading.amount)
    )
    return remaining, reset_us, amount


def _number_refused(quota: Quota, refused: Refusal | Limit) -> int:
    """The number of the limit that was broken; 0 none, -1 not known which."""
    if isinstance(refused, Limit):
        return quota.limits.index(refused) + 1 if refused in quota.limits else -1
    if refused is Refusal.LONG_LIMIT:
        longest = max(quota.limits, key=lambda one: one.window.seconds, default=None)
        is_long = longest is not None and longest.window.seconds >= _A_DAY_S
        return quota.limits.index(longest) + 1 if longest and is_long else 0
    return 0 if refused is Refusal.NONE else -1


_A_DAY_S = 86_400


def _rounds_s(bill: Bill, ahead: Costs) -> float:
    """Whole windows that pass before all those before it have been let through."""
    return max(
        (
            (needed + cost - 1) // limit.amount * float(limit.window.seconds)
            for limit, needed, cost in zip(bill.quota.limits, ahead, bill.costs, strict=True)
            if limit.amount and needed
        ),
        default=0.0,
    )


def _refusal(quota: Quota, wait_us: int, limit: Limit | None, holds: int) -> RateLimited:
    if limit is None:
        what = "This quota rests"
    else:
        what = f"The quota of {holds} {limit.unit} a {limit.window} is used up"
    if wait_us >= 0:
        return RateLimited(f"{what}.", retry_after_s=wait_us / _US)
    if limit is not None and holds:
        return RateLimited(
            f"The request is larger than the whole quota of {holds} {limit.unit} a {limit.window}."
        )
    return RateLimited(f"{quota.provider} gives nothing here: the quota is 0.")

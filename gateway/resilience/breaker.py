"""Breakers per offer and per provider, shared by all processes through Redis."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway import keys
from gateway.clock import Clock
from gateway.doors import Door, Doors, Passage, pass_doors
from gateway.errors import CircuitOpen, ProviderError
from gateway.policy import BreakerPolicy, PolicySource
from gateway.resilience.breaker_rules import SLOTS, Breaker, BreakerState, Rules, Verdict
from gateway.store import Script, Store, StoreAwayError
from gateway.types import Target

_LEAVE = Script("lua/time.lua", "resilience/lua/breaker.lua", "resilience/lua/leave.lua")
_LOOK = Script("lua/time.lua", "resilience/lua/breaker.lua", "resilience/lua/look.lua")
_US = 1_000_000
_LOCAL_BREAKERS = 10_000


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A breaker as people see it; `state` is None while Redis is away."""

    state: BreakerState | None
    retry_in_s: float = 0.0
    trips: int = 0
    reason: str = ""


class Breakers:
    def __init__(self, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._local: OrderedDict[str, Breaker] = OrderedDict()

    async def enter(self, target: Target, call_id: str) -> bool:
        """Pass the provider's and the offer's breaker, or raise CircuitOpen.

        True for a probe of a half-open one: then `leave` must follow, whatever happens.
        For itself alone; a call passes its quota in the same step.
        """
        doors = Doors(call_id, breakers=self.door(target))
        try:
            reply = await pass_doors(self._store, self._clock.store_us(), doors)
        except StoreAwayError:
            self.check_alone(target)
            return self.enter_alone(target, call_id)
        passage = Passage.read(reply)
        if passage.in_the_way:
            raise self.refusal(target, passage.number, passage.wait_us, passage.why)
        return passage.is_probe

    def door(self, target: Target) -> Door:
        args: list[int] = []
        for one in self._rules():
            args += (one.probes, one.probe_ttl_us)
        return Door(_names(target), args)

    def refusal(self, target: Target, number: int, wait_us: int, reason: str) -> CircuitOpen:
        """By the `number`th breaker of the door."""
        who = (target.provider_name or target.provider) if number == 1 else target.label
        because = f" after failures: {reason}" if reason else "."
        return CircuitOpen(f"{who} is given a rest{because}", retry_after_s=wait_us / _US)

    def check_alone(self, target: Target) -> None:
        """Raise CircuitOpen by what this process knows itself."""
        now_us = _now_us()
        breakers = [self._breaker(name) for name in _names(target)]
        waits = [one.wait_us(now_us, r) for one, r in zip(breakers, self._rules(), strict=True)]
        if worst := max(waits):
            binding = waits.index(worst)
            raise self.refusal(target, binding + 1, worst, breakers[binding].reason)

    def enter_alone(self, target: Target, call_id: str) -> bool:
        """Pass this process' own breakers, which `check_alone` has found passable."""
        breakers = [self._breaker(name) for name in _names(target)]
        for one, rule in zip(breakers, self._rules(), strict=True):
            one.enter(call_id, _now_us(), rule)
        return any(call_id in one.probes for one in breakers)

    def leave(
        self, target: Target, call_id: str, error: BaseException | None
    ) -> asyncio.Future[Any]:
        """Tell both breakers how the call came out; `None` is an answer."""
        verdict, reason = verdict_on(error)
        rules = self._rules()
        names = _names(target)
        self._leave_alone(names, rules, call_id, verdict, reason)
        args: list[str | int | float] = [self._clock.store_us(), call_id, keys.BREAKER_TTL_S]
        args += [verdict.value, reason]
        for one in rules:
            args += (one.slot_us, one.min_calls, one.failure_rate)
            args += (one.cooldown_us, one.max_cooldown_us)
        return self._store.run(_LEAVE, names, args)

    async def states(
        self, pairs: Sequence[tuple[str, str | None]]
    ) -> dict[tuple[str, str | None], BreakerView]:
        """For (provider, model), or (provider, None): one round trip; unknown without Redis."""
        different = list(dict.fromkeys(pairs))
        now = self._clock.store_us()

        looks = [self._store.run(_LOOK, [_name(*pair)], [now]) for pair in different]
        try:
            replies = await asyncio.gather(*looks)
        except StoreAwayError:
            return dict.fromkeys(different, BreakerView(None))
        return {pair: _view(*reply) for pair, reply in zip(different, replies, strict=True)}

    def _rules(self) -> tuple[Rules, Rules]:
        return _rules(self._policy.current().breaker)

    def _leave_alone(
        self,
        names: Sequence[str],
        rules: Sequence[Rules],
        call_id: str,
        verdict: Verdict,
        reason: str,
    ) -> None:
        """Told of every call, so that this process is not blind when Redis goes away."""
        for name, rule in zip(names, rules, strict=True):
            self._breaker(name).leave(call_id, verdict, reason, _now_us(), rule)

    def _breaker(self, name: str) -> Breaker:
        breaker = self._local.setdefault(name, Breaker())
        self._local.move_to_end(name)
        if len(self._local) > _LOCAL_BREAKERS:
            self._local.popitem(last=False)
        return breaker


def verdict_on(error: BaseException | None) -> tuple[Verdict, str]:
    """Only what the provider did wrong is a failure; a refusal that it may make is none."""
    if error is None:
        return Verdict.SUCCESS, ""
    if isinstance(error, ProviderError) and error.counts_as_failure:
        return Verdict.FAILURE, error.message
    return Verdict.NEUTRAL, ""


def _rules(policy: BreakerPolicy) -> tuple[Rules, Rules]:
    """The provider's and the offer's."""
    judged = (
        (policy.provider_min_calls, policy.provider_failure_rate),
        (policy.offer_min_calls, policy.offer_failure_rate),
    )
    provider, offer = (
        Rules(
            slot_us=int(policy.window_s * _US) // SLOTS,
            min_calls=min_calls,
            failure_rate=failure_rate,
            cooldown_us=int(policy.cooldown_s * _US),
            max_cooldown_us=int(policy.max_cooldown_s * _US),
            probes=policy.probes,
            probe_ttl_us=int(policy.probe_ttl_s * _US),
        )
        for min_calls, failure_rate in judged
    )
    return provider, offer


def _names(target: Target) -> tuple[str, str]:
    return _name(target.provider, None), _name(target.provider, target.model)


def _name(provider: str, model: str | None) -> str:
    return keys.provider_breaker(provider) if model is None else keys.offer_breaker(provider, model)


def _view(left_us: int, trips: int, reason: bytes | str) -> BreakerView:
    if left_us == 0:
        return BreakerView(BreakerState.CLOSED)
    state = BreakerState.OPEN if left_us > 0 else BreakerState.HALF_OPEN
    return BreakerView(state, max(0, left_us) / _US, trips, _text(reason))


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _now_us() -> int:
    return time.monotonic_ns() // 1000

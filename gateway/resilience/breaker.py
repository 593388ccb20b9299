"""Breakers per offer and per provider, shared by all processes through Redis."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway import keys
from gateway.clock import Clock
from gateway.doors import Door, Doors, Passage, pass_doors
from gateway.errors import CircuitOpen, ProviderError
from gateway.policy import BreakerPolicy, PolicySource
from gateway.resilience.breaker_rules import (
    SLOTS,
    Breaker,
    BreakerState,
    Forced,
    Rules,
    Verdict,
)
from gateway.resilience.watching import WATCH, BreakerSurvey, at_s, watch_of
from gateway.store import Script, Store, StoreAwayError
from gateway.types import Target

_SHARED = ("lua/time.lua", "resilience/lua/breaker.lua")
_LEAVE = Script(*_SHARED, "resilience/lua/leave.lua")
_LOOK = Script(*_SHARED, "resilience/lua/look.lua")
_FORCE = Script(*_SHARED, "resilience/lua/force.lua")
_RESET = Script(*_SHARED, "resilience/lua/reset.lua")
_US = 1_000_000
_LOCAL_BREAKERS = 10_000
_LONGEST_FORCE_S = 30 * 86_400
_BY_HAND = "by hand: "  # begins the reason of a forced breaker


@dataclass(frozen=True, slots=True)
class BreakerView:
    """A breaker as people see it; `state` is None while Redis is away.

    `forced_for_s` is how long it still is as a person forced it to be; 0: nobody did. `is_probed`:
    half-open, and all the probes it allows are under way.
    """

    state: BreakerState | None
    retry_in_s: float = 0.0
    trips: int = 0
    reason: str = ""
    forced_for_s: float = 0.0
    is_probed: bool = False

    @property
    def is_forced(self) -> bool:
        return self.forced_for_s > 0


class Breakers:
    def __init__(self, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self._local: OrderedDict[str, Breaker] = OrderedDict()

    async def enter(self, target: Target, call_id: str) -> None:
        """Pass the provider's and the offer's breaker, or raise CircuitOpen.

        `leave` must follow, whatever happens.
        For itself alone; a call passes its quota in the same step.
        """
        doors = Doors(call_id, breakers=self.door(target))
        try:
            reply = await pass_doors(self._store, self._clock.store_us(), doors)
        except StoreAwayError:
            self.check_alone(target)
            self.enter_alone(target, call_id)
            return
        passage = Passage.read(reply)
        if passage.in_the_way:
            raise self.refusal(target, passage.number, passage.wait_us, passage.why)
        self.enter_alone(target, call_id)

    def door(self, target: Target) -> Door:
        args: list[int] = []
        for one in self._rules(target):
            args += (one.probes, one.probe_ttl_us, one.slot_us)
        return Door(_names(target), args)

    def refusal(self, target: Target, number: int, wait_us: int, reason: str) -> CircuitOpen:
        """By the `number`th breaker of the door."""
        who = (target.provider_name or target.provider) if number == 1 else target.label
        because = f" after failures: {reason}" if reason else "."
        if reason.startswith(_BY_HAND):
            because = f", {reason}"
        return CircuitOpen(f"{who} is given a rest{because}", retry_after_s=wait_us / _US)

    def check_alone(self, target: Target) -> None:
        """Raise CircuitOpen by what this process knows itself."""
        now_us = _now_us()
        breakers = [self._breaker(name) for name in _names(target)]
        rules = self._rules(target)
        waits = [one.wait_us(now_us, rule) for one, rule in zip(breakers, rules, strict=True)]
        if worst := max(waits):
            binding = waits.index(worst)
            raise self.refusal(target, binding + 1, worst, breakers[binding].why(now_us))

    def enter_alone(self, target: Target, call_id: str) -> None:
        """Pass this process' own breakers: Redis let it pass, or `check_alone` did."""
        breakers = [self._breaker(name) for name in _names(target)]
        for one, rule in zip(breakers, self._rules(target), strict=True):
            one.enter(call_id, _now_us(), rule)

    def leave(
        self, target: Target, call_id: str, error: BaseException | None, took_s: float = 0.0
    ) -> asyncio.Future[Any]:
        """Tell both breakers how the call came out; an `error` of None is an answer."""
        policy = self._policy.at(target.provider, target.model).breaker
        verdict, reason = verdict_on(error, took_s, policy)
        rules = self._rules(target)
        names = _names(target)
        self._leave_alone(names, rules, call_id, verdict, reason)
        args: list[str | int | float] = [self._clock.store_us(), call_id, keys.BREAKER_TTL_S]
        args += [verdict.value, reason]
        for one in rules:
            args += (one.slot_us, one.min_calls, one.window_calls, one.failure_rate, one.slow_rate)
            args += (one.cooldown_us, one.max_cooldown_us, one.probe_ttl_us)
        return self._store.run(_LEAVE, (*names, keys.breaker_story(target.provider)), args)

    async def force(
        self,
        provider: str,
        model: str | None,
        *,
        is_open: bool,
        for_s: float,
        reason: str,
        by: str = "",
    ) -> None:
        """Hold calls back, or let them all through, for a time and whatever they are like.

        Of a provider (`model` None) or an offer; the story tells `by` whom. Raises ValueError on a
        time that is none, StoreAwayError while Redis is away: then nobody else would know of it.
        """
        if not 1 <= for_s <= _LONGEST_FORCE_S:
            raise ValueError(f"for_s must lie between 1 and {_LONGEST_FORCE_S} s")
        name, state = _name(provider, model), "open" if is_open else "closed"
        why, for_us = _BY_HAND + reason, int(for_s * _US)
        args = (self._clock.store_us(), state, for_us, why, keys.BREAKER_TTL_S, by)
        await self._store.run(_FORCE, [name, keys.breaker_story(provider)], args)
        self._breaker(name).forced = Forced(BreakerState(state), _now_us() + for_us, why)

    async def reset(
        self, provider: str, model: str | None, *, reason: str = "", by: str = ""
    ) -> None:
        """Closed, not forced, and nothing counted. Raises StoreAwayError while Redis is away."""
        name = _name(provider, model)
        await self._store.run(_RESET, [name, keys.breaker_story(provider)], (reason, by))
        self._local.pop(name, None)

    async def states(
        self, pairs: Sequence[tuple[str, str | None]]
    ) -> dict[tuple[str, str | None], BreakerView]:
        """For (provider, model), or (provider, None): one round trip; unknown without Redis."""
        different = list(dict.fromkeys(pairs))
        now = self._clock.store_us()

        looks = [self._look(provider, model, now) for provider, model in different]
        try:
            replies = await asyncio.gather(*looks)
        except StoreAwayError:
            return dict.fromkeys(different, BreakerView(None))
        return {pair: _view(*reply) for pair, reply in zip(different, replies, strict=True)}

    async def watch(self, pairs: Sequence[tuple[str, str | None]]) -> BreakerSurvey:
        """All that is known of them, for people; one round trip, raises StoreAwayError."""
        different = list(dict.fromkeys(pairs))
        now_us = self._clock.store_us()
        asked = []
        for provider, model in different:
            rules = _rules(self._policy.at(provider, model or "").breaker)[model is not None]
            args = (now_us, rules.slot_us, rules.window_calls, rules.probe_ttl_us)
            asked.append((rules, self._store.run(WATCH, [_name(provider, model)], args)))
        replies = await asyncio.gather(*(reply for _, reply in asked))
        watches = {
            pair: watch_of(rules, reply)
            for pair, (rules, _), reply in zip(different, asked, replies, strict=True)
        }
        return BreakerSurvey(at_s(replies[0]) if replies else 0.0, watches)

    def _look(self, provider: str, model: str | None, now_us: int) -> asyncio.Future[Any]:
        policy = self._policy.at(provider, model or "")
        rules = _rules(policy.breaker)[model is not None]
        args = (now_us, rules.probes, rules.probe_ttl_us)
        return self._store.run(_LOOK, [_name(provider, model)], args)

    def _rules(self, target: Target) -> tuple[Rules, Rules]:
        """The provider's, by its own policy, and the offer's."""
        return (
            _rules(self._policy.at(target.provider).breaker)[0],
            _rules(self._policy.at(target.provider, target.model).breaker)[1],
        )

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


def verdict_on(
    error: BaseException | None, took_s: float, policy: BreakerPolicy
) -> tuple[Verdict, str]:
    """Only what the provider did wrong is a failure; a refusal that it may make is none."""
    if error is None and took_s > policy.slow_call_s:
        return Verdict.SLOW, f"It took {took_s:.3g} s to answer."
    if error is None:
        return Verdict.SUCCESS, ""
    if isinstance(error, ProviderError) and error.counts_as_failure:
        return Verdict.FAILURE, error.message
    return Verdict.NEUTRAL, ""


@lru_cache(maxsize=1000)  # the same few in every call
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
            window_calls=max(min_calls, policy.window_calls),
            failure_rate=failure_rate,
            slow_rate=policy.slow_rate,
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


def _view(  # noqa: PLR0917 - the reply of look.lua
    state: bytes, left_us: int, trips: int, reason: bytes, is_forced: int, is_probed: int
) -> BreakerView:
    left_s = left_us / _US
    return BreakerView(
        state=BreakerState(state.decode()),
        retry_in_s=left_s if state == b"open" else 0.0,
        trips=trips,
        reason=reason.decode(errors="replace"),
        forced_for_s=left_s if is_forced else 0.0,
        is_probed=bool(is_probed),
    )


def _now_us() -> int:
    return time.monotonic_ns() // 1000

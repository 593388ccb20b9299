"""Which target a call asks next: each once as the caller ranked them, then those that time cures.

A target whose breaker is open, or whose quota is used up, was not asked and may still answer. So a
call that nobody answered waits for the first of these, as long as it would wait for a quota. Where
that is not soon, it comes back once to each that failed quickly, by bad luck maybe. Whoever was
asked before is asked again only within the budget of retries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from gateway.call import Call
from gateway.clock import Clock
from gateway.errors import (
    CircuitOpen,
    GatewayError,
    MalformedReply,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
    Throttled,
)
from gateway.policy import PolicySource
from gateway.resilience.backoff import pause_s
from gateway.resilience.reopenings import Reopenings
from gateway.resilience.retry_budget import RetryBudget
from gateway.types import Attempt, Target

_QUICK = (ProviderUnavailable, MalformedReply, StreamCut)  # a timeout has cost enough


class Turn(NamedTuple):
    """`spare` is the target after it; None: no other is left."""

    target: Target
    spare: Target | None


class Order:
    """Of one call. Times are seconds since it began."""

    def __init__(
        self,
        call: Call,
        targets: Sequence[Target],
        *,
        policy: PolicySource,
        budget: RetryBudget,
        reopenings: Reopenings,
        clock: Clock,
    ) -> None:
        self._call = call
        self._fresh = deque(targets)
        self._shut: dict[Target, float] = {}  # by their breakers, until when
        self._spent: dict[Target, float] = {}  # of their quota, until when
        self._unlucky: deque[Target] = deque()  # only where there are others
        self._returned_to: set[Target] = set()
        self._has_others = len(targets) > 1
        self._policy = policy
        self._budget = budget
        self._reopenings = reopenings
        self._clock = clock

    async def next(self) -> Turn | None:
        """None where nothing is left that could answer in time."""
        if self._fresh:
            fresh = self._fresh.popleft()
            retry = self._policy.at(fresh.provider, fresh.model).retry
            self._budget.first_attempt(fresh.provider, retry)
            return Turn(fresh, self._fresh[0] if self._fresh else None)
        if self._call.request.tests_key:
            return None  # it wants to know how the key stands now
        while (target := await self._again()) is not None:
            self._shut.pop(target, None)
            self._spent.pop(target, None)
            if await self._may_be_asked_again(target):
                return Turn(target, None)
        return None

    def heard(self, target: Target, error: GatewayError | None) -> None:
        """How the last attempt at it ended."""
        now_s = self._call.elapsed_s
        if isinstance(error, CircuitOpen):
            self._shut[target] = now_s + (error.retry_after_s or 0.0)
        elif isinstance(error, RateLimited) and error.retry_after_s is not None:
            self._spent[target] = now_s + error.retry_after_s
        elif isinstance(error, Throttled):  # what was not said the limiter has decided
            self._spent[target] = now_s + (error.retry_after_s or 0.0)
        elif isinstance(error, _QUICK) and self._has_others and target not in self._returned_to:
            self._unlucky.append(target)

    async def _again(self) -> Target | None:
        if self._is_soon_cured():
            return await self._first_cured() or self._once_more()
        return self._once_more() or await self._first_cured()

    def _is_soon_cured(self) -> bool:
        """Whether one of them is, within a pause between two attempts."""
        now_s = self._call.elapsed_s
        return any(
            at_s - now_s <= self._policy.at(one.provider, one.model).retry.cap_s
            for one, at_s in (*self._shut.items(), *self._spent.items())
        )

    def _once_more(self) -> Target | None:
        if not self._unlucky:
            return None
        self._returned_to.add(self._unlucky[0])
        return self._unlucky.popleft()

    async def _first_cured(self) -> Target | None:
        """One whose time has come, or will while it stands in the line of its quota."""
        shut, spent = self._in_time(self._shut), self._in_time(self._spent)
        first_spent = min(spent, key=spent.__getitem__, default=None)
        if not shut or (first_spent and spent[first_spent] <= min(shut.values())):
            return first_spent
        began_s = self._call.elapsed_s
        within_s = max(self._left_s(target) for target in shut)
        if first_spent:
            within_s = min(within_s, spent[first_spent] - began_s)
        try:
            opened = await self._reopenings.first(list(shut), within_s)
        finally:
            self._call.patience_used_s += self._call.elapsed_s - began_s
        return opened or first_spent

    def _in_time(self, targets: dict[Target, float]) -> dict[Target, float]:
        now_s = self._call.elapsed_s
        return {one: at_s for one, at_s in targets.items() if at_s - now_s < self._left_s(one)}

    def _left_s(self, target: Target) -> float:
        """For how long the call may still wait for it."""
        policy = self._policy.at(target.provider, target.model).limiter
        return min(policy.max_wait_last_s - self._call.patience_used_s, self._call.remaining_s)

    async def _may_be_asked_again(self, target: Target) -> bool:
        """Where it was asked before that is a retry: within their budget, and after a pause."""
        asked = [one for one in self._call.attempts if one.was_sent and _is_at(one, target)]
        if not asked:
            return True
        retry = self._policy.at(target.provider, target.model).retry
        pause = pause_s(len(asked), retry)
        if pause >= self._left_s(target) or not self._budget.take(target.provider, retry):
            return False
        self._call.patience_used_s += pause
        await self._clock.sleep(pause)
        return True


def _is_at(attempt: Attempt, target: Target) -> bool:
    asked = (attempt.provider, attempt.model, attempt.key_id)
    return asked == (target.provider, target.model, target.key_id)

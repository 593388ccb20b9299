"""What values must not say together, and at which level a field has a reader.

Asked before something is published. A process that takes over what was published checks the bounds
alone: it must not refuse what another version of the product has allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.policy.fields import Reach
from gateway.policy.groups import TUNABLES, Policy
from gateway.policy.levels import Overrides, Scope, StaticPolicy

# The first of each pair may not be above the second.
_NOT_ABOVE = (
    ("limiter.max_wait_s", "limiter.max_wait_last_s"),
    ("limiter.least_share", "limiter.most_share"),
    ("limiter.unknown_start", "limiter.unknown_most"),
    ("limiter.throttled_pause_s", "limiter.longest_pause_s"),
    ("limiter.exhausted_pause_s", "limiter.longest_pause_s"),
    ("breaker.cooldown_s", "breaker.max_cooldown_s"),
    ("retry.base_s", "retry.cap_s"),
    ("dispatch.least_concurrency", "dispatch.provider_concurrency"),
)
_WEIGHTS = ("fit", "speed", "left", "health")


@dataclass(frozen=True, slots=True)
class Problem:
    """Values of one level that cannot hold; the first of `names` is where a form says so."""

    scope: Scope
    names: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.scope.label}: {self.message}"


def problems_of(overrides: Overrides) -> list[Problem]:
    """All of them, field by field first; none where these overrides may be published."""
    wrong = [*_single(overrides)]
    return wrong or [*_together(StaticPolicy(overrides=overrides), overrides)]


def _single(overrides: Overrides) -> Iterator[Problem]:
    for scope, values in sorted(overrides.items()):
        for name, value in values.items():
            if name not in TUNABLES:
                yield Problem(scope, (name,), f"{name} is no field of the policy.")
            elif message := TUNABLES[name].problem_with(value) or _unread(name, scope):
                yield Problem(scope, (name,), message)


def _unread(name: str, scope: Scope) -> str:
    one = TUNABLES[name]
    if scope.reach <= one.reach:
        return ""
    where = "everything" if one.reach is Reach.EVERYTHING else "a whole provider"
    return f"“{one.label}” can be set for {where} only."


def _together(policy: StaticPolicy, overrides: Overrides) -> Iterator[Problem]:
    for scope in sorted({Scope(), *overrides}):
        effective = policy.at(scope.provider, scope.model)
        own = overrides.get(scope, {})
        for names, message in contradictions(effective):
            if scope == Scope() or any(name in own for name in names):
                yield Problem(scope, names, message)


def contradictions(policy: Policy) -> Iterator[tuple[tuple[str, ...], str]]:
    for low, high in _NOT_ABOVE:
        if policy.value(low) > policy.value(high):
            one, other = (
                f"“{TUNABLES[name].label}” ({TUNABLES[name].told(policy.value(name))})"
                for name in (low, high)
            )
            advice = "Lower the first or raise the second."
            yield (low, high), f"{one} must not be above {other}. {advice}"
    for task in ("simple", "medium", "hard"):
        names = tuple(f"ranking.{task}_{part}" for part in _WEIGHTS)
        if not any(policy.value(name) for name in names):
            yield (
                names,
                f"All weights of {task} tasks are 0: give one of them some points.",
            )

"""The three levels of the policy: default, provider, offer. The nearer one wins, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.policy.fields import Reach
from gateway.policy.groups import Policy


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What overrides hold for: everything, one provider, or one offer (provider and model)."""

    provider: str = ""
    model: str = ""

    @property
    def label(self) -> str:
        return "/".join(filter(None, (self.provider, self.model))) or "default"

    @property
    def reach(self) -> Reach:
        """Which of the three levels this is."""
        if self.model:
            return Reach.OFFER
        return Reach.PROVIDER if self.provider else Reach.EVERYTHING

    def around(self) -> tuple[Scope, ...]:
        """The scopes that hold here, the widest first."""
        return tuple(dict.fromkeys((Scope(), Scope(self.provider), self)))


Overrides = Mapping[Scope, Mapping[str, float]]


class PolicySource(Protocol):
    """Where the engine asks for the policy, anew for every call."""

    def current(self) -> Policy:
        """Of what belongs to no provider."""

    def at(self, provider: str, model: str = "") -> Policy:
        """Of a provider, or of its offer `model`."""


@dataclass(frozen=True, slots=True)
class StaticPolicy:
    """A policy and its overrides, which never change.

    Raises ValueError, naming scope and field, where an override is not allowed: all are checked
    when this is built, so that no call meets a wrong one.
    """

    policy: Policy = field(default_factory=Policy)
    overrides: Overrides = field(default_factory=dict)
    # By provider and model. Asked for a dozen times in each call: a tuple is found quickest.
    _effective: dict[tuple[str, str], Policy] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for scope in sorted(self.overrides):  # the widest first
            self._effective[scope.provider, scope.model] = self._layered(scope)

    def current(self) -> Policy:
        return self._effective.get(("", ""), self.policy)

    def at(self, provider: str, model: str = "") -> Policy:
        found = self._effective
        if not found:
            return self.policy
        return found.get((provider, model)) or found.get((provider, "")) or self.current()

    def _layered(self, scope: Scope) -> Policy:
        policy = self.policy
        for one in scope.around():
            try:
                policy = policy.changed(self.overrides.get(one, {}))
            except ValueError as error:
                raise ValueError(f"{one.label}: {error}") from error
        return policy

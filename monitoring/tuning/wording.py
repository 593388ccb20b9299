"""Steps of a change in words: the field's label, old and new with their unit, the level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.policy import TUNABLES, Scope

AS_ABOVE = "as above"


class _Step(Protocol):
    name: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class Words:
    label: str
    old: str
    new: str


def words_of(step: _Step) -> Words:
    """Also of a field that this version no longer has."""
    label = TUNABLES[step.name].label if step.name in TUNABLES else step.name
    return Words(label, told(step.name, step.old), told(step.name, step.new))


def told(name: str, value: float | None) -> str:
    if value is None:
        return AS_ABOVE
    known = TUNABLES.get(name)
    return known.told(known.typed(value)) if known else f"{value:g}"


def place_of(scope: Scope, names: dict[str, str]) -> str:
    """“GPT-OSS 120B on Groq”: `names` are the providers' by slug."""
    if not scope.provider:
        return "default"
    provider = names.get(scope.provider, scope.provider)
    return f"{scope.model} on {provider}" if scope.model else provider

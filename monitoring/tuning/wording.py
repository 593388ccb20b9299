"""Steps of a change in words: the field's label, old and new with their unit, the level."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.policy import TUNABLES, Scope
from monitoring.models import TuningChange, TuningStep

AS_ABOVE = "as above"


@dataclass(frozen=True, slots=True)
class Words:
    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class HistoryRow:
    change: TuningChange
    lines: list[tuple[Words, str]]  # with the level of each
    more: int


_LINES = 5


def history_rows(changes: Iterable[TuningChange], names: Mapping[str, str]) -> list[HistoryRow]:
    """Of changes that bring their steps."""
    rows = []
    for change in changes:
        steps = list(change.steps.all())
        lines = [(words_of(step), place_of(step.scope, names)) for step in steps[:_LINES]]
        rows.append(HistoryRow(change, lines, len(steps) - len(lines)))
    return rows


def words_of(step: TuningStep) -> Words:
    """Also of a field that this version no longer has."""
    label = TUNABLES[step.name].label if step.name in TUNABLES else step.name
    return Words(label, told(step.name, step.old), told(step.name, step.new))


def told(name: str, value: float | None) -> str:
    if value is None:
        return AS_ABOVE
    known = TUNABLES.get(name)
    return known.told(known.typed(value)) if known else f"{value:g}"


def place_of(scope: Scope, names: Mapping[str, str]) -> str:
    """“GPT-OSS 120B on Groq”: `names` are the providers' by slug."""
    if not scope.provider:
        return "default"
    provider = names.get(scope.provider, scope.provider)
    return f"{scope.model} on {provider}" if scope.model else provider

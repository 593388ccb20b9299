"""Write a change of the policy, or take one back. The database is the truth; Redis carries it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from gateway.policy import TUNABLES, Scope
from gateway.policy.published import Published
from gateway.policy.rules import Problem, problems_of
from monitoring.models import ChangeKind, Tuning, TuningChange, TuningStep

Values = dict[Scope, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Edit:
    """One field to be set at one level; None follows the level above."""

    scope: Scope
    name: str
    new: float | None


@dataclass(frozen=True, slots=True)
class Why:
    who: str
    why: str = ""
    kind: ChangeKind = ChangeKind.EDIT
    undoes: TuningChange | None = None


class NotSaved(Exception):
    """Nothing of the change was written."""


class NothingToChange(NotSaved):
    """Everything is like that already."""


@dataclass(eq=False)
class Overtaken(NotSaved):
    """Somebody else has changed the same fields meanwhile."""

    by: Sequence[TuningStep] = field(default_factory=tuple)


@dataclass(eq=False)
class Contradicts(NotSaved):
    """What would hold afterwards must not."""

    problems: Sequence[Problem] = field(default_factory=tuple)


def overrides_in_force() -> Values:
    """What is set at each level; one query. A field that this version has not is left out."""
    found: Values = {}
    for row in Tuning.objects.all():
        if known := TUNABLES.get(row.name):
            found.setdefault(row.scope, {})[row.name] = known.typed(row.value)
    return found


def version_in_force() -> int:
    """0 until something was changed."""
    return TuningChange.objects.values_list("pk", flat=True).first() or 0


def truth() -> Published:
    """What should hold in every process; no lock is taken, for this is read all the time."""
    while True:
        found = Published(version_in_force(), overrides_in_force())
        if version_in_force() == found.version:
            return found


def changed(values: Mapping[Scope, Mapping[str, float]], edits: Iterable[Edit]) -> Values:
    """The overrides as they would be."""
    coming = {scope: dict(own) for scope, own in values.items()}
    for edit in edits:
        own = coming.setdefault(edit.scope, {})
        if edit.new is None:
            own.pop(edit.name, None)
        else:
            own[edit.name] = edit.new
    return {scope: own for scope, own in coming.items() if own}


def save(edits: Sequence[Edit], why: Why, seen: int) -> TuningChange:
    """Write all of it or nothing. `seen` is the version its author had before their eyes.

    Raises Overtaken, Contradicts or NothingToChange.
    """
    try:
        with transaction.atomic():
            # Of two who save at once the second waits here, and then sees what the first wrote.
            list(TuningChange.objects.select_for_update().order_by("-pk")[:1])
            return _save(edits, why, seen)
    except IntegrityError as error:  # two first changes of all at the same moment
        raise Overtaken from error


def undo(change: TuningChange, who: str) -> TuningChange:
    """Restore what was before it. Raises Overtaken where its fields were changed since."""
    steps = list(change.steps.all())
    edits = [Edit(step.scope, step.name, step.old) for step in steps]
    reason = f"takes back change {change.pk}" + (f": {change.why}" if change.why else "")
    why = Why(who, reason[:300], ChangeKind.UNDO, change)
    return save(edits, why, change.pk)


def _save(edits: Sequence[Edit], why: Why, seen: int) -> TuningChange:
    if newer := _newer_steps(edits, seen):
        raise Overtaken(newer)
    before = overrides_in_force()
    steps = [
        TuningStep(
            provider=edit.scope.provider, model=edit.scope.model, name=edit.name, old=old, new=new
        )
        for edit in edits
        for old, new in [(before.get(edit.scope, {}).get(edit.name), edit.new)]
        if old != new
    ]
    if not steps:
        raise NothingToChange
    if problems := problems_of(changed(before, edits)):
        raise Contradicts(problems)
    change = TuningChange.objects.create(who=why.who, why=why.why, kind=why.kind, undoes=why.undoes)
    for step in steps:
        step.change = change
        _set(step)
    TuningStep.objects.bulk_create(steps)
    return change


def _set(step: TuningStep) -> None:
    place: dict[str, Any] = {
        "provider": step.provider,
        "model": step.model,
        "name": step.name,
    }
    if step.new is None:
        Tuning.objects.filter(**place).delete()
    else:
        Tuning.objects.update_or_create(**place, defaults={"value": step.new})


def _newer_steps(edits: Sequence[Edit], seen: int) -> list[TuningStep]:
    """What others changed of the same fields since version `seen`."""
    mine = {(edit.scope, edit.name) for edit in edits}
    since = TuningStep.objects.filter(change_id__gt=seen).select_related("change")
    return [step for step in since if (step.scope, step.name) in mine]

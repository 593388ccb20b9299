"""What an admin has typed and not yet saved: read field by field, with every mistake in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.policy import TUNABLES, Scope, Tunable
from gateway.policy.rules import Problem, problems_of
from monitoring.models import TuningStep
from monitoring.tuning.changes import Edit, Values, changed

WHY_LENGTH = 300


@dataclass
class Draft:
    """`seen` is the version that was before the author's eyes; `typed` is by the field's name."""

    scope: Scope
    seen: int
    typed: dict[str, str] = field(default_factory=dict)
    why: str = ""
    edits: list[Edit] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)  # by the field's name
    problems: list[Problem] = field(default_factory=list)  # of values that contradict each other
    overtaken_by: list[TuningStep] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not (self.errors or self.problems)

    @property
    def edited(self) -> set[str]:
        return {edit.name for edit in self.edits}


def fields_at(scope: Scope) -> Iterator[tuple[str, Tunable]]:
    """Those that act at this level."""
    return ((name, one) for name, one in TUNABLES.items() if scope.reach <= one.reach)


def draft_of(posted: Mapping[str, str], scope: Scope, in_force: Values, version: int) -> Draft:
    """A field that was not sent stays as it is; an empty one follows the level above."""
    seen = posted.get("seen", "")
    is_number = seen.isascii() and seen.isdigit() and len(seen) < 18  # noqa: PLR2004 - fits a row's id
    draft = Draft(scope, int(seen) if is_number else version, why=posted.get("why", "").strip())
    own = in_force.get(scope, {})
    for name, tunable in fields_at(scope):
        if (text := posted.get(name)) is None:
            continue
        text = "" if posted.get("reset") == name else text.strip()
        draft.typed[name] = text
        _read(draft, name, tunable, own.get(name))
    if len(draft.why) > WHY_LENGTH:
        draft.errors["why"] = f"Say why in at most {WHY_LENGTH} characters."
    if not draft.errors:
        draft.problems = problems_of(changed(in_force, draft.edits))
    return draft


def _read(draft: Draft, name: str, tunable: Tunable, current: float | None) -> None:
    text = draft.typed[name]
    try:
        new = tunable.read(text) if text else None
    except ValueError as error:
        draft.errors[name] = str(error)
        return
    if new != current:
        draft.edits.append(Edit(draft.scope, name, new))

"""Adding calls to the sums of every step and subject that they belong to."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from monitoring.bulk import upsert
from monitoring.models import CallRecord, Course, Rollup
from monitoring.ranges import STEPS_S, kept_for_s
from monitoring.series import Step, Timing
from monitoring.sketch import Sketch
from monitoring.subjects import Kind, Subject, subjects_of

SINCE_EVER_S = 0  # the step of the rows that count since the first call, for /metrics
_SINCE_EVER = (Kind.ALL, Kind.PROVIDER)
_COUNTS = ("throttled", "prompt_tokens", "completion_tokens")
_SKETCHES = ("duration_s", "first_token_s", "tokens_per_s")
STEP_FIELDS = (*map(str, Course), *_COUNTS, *_SKETCHES)
_KEY = ("step_s", "kind", "provider", "name", "at_s")


# The start of the step, the provider, the model, the key's id, the owner.
Who = tuple[int, str, str, str, str]


class Place(NamedTuple):
    """Where a sum is kept."""

    step_s: int
    at_s: int
    subject: Subject


def add_up(records: Sequence[CallRecord]) -> None:
    """Within the transaction of whoever calls, who lets nobody else do so meanwhile."""
    if not records:
        return
    sums = _sums(records)
    for place, kept in _kept(sums.keys()):
        sums[place].merge(kept)
    rows = [_row(place, step) for place, step in sums.items()]
    upsert(Rollup, (*_KEY, *STEP_FIELDS), rows, unique=_KEY)


def step_of(fields: Mapping[str, Any]) -> Step:
    """A row's STEP_FIELDS as the step they are."""
    counts: dict[str, Any] = {name: fields[name] for name in _COUNTS}
    sketches: dict[str, Any] = {name: Sketch.from_plain(fields[name]) for name in _SKETCHES}
    courses = {str(course): fields[course] for course in Course if fields[course]}
    return Step(courses, **counts, **sketches)


def _sums(records: Sequence[CallRecord]) -> dict[Place, Step]:
    """Counted in the finest steps, which are then added to all those they lie in."""
    finest_s, now_s = STEPS_S[0], time.time()
    oldest_s = {step_s: now_s - kept_for_s(step_s) for step_s in STEPS_S}
    finest: dict[tuple[int, Subject], Step] = defaultdict(Step)
    for (at_s, *who), step in _by_who(records, finest_s).items():
        for subject in subjects_of(*who):
            finest[at_s, subject].merge(step)
    sums: dict[Place, Step] = defaultdict(Step)
    for (at_s, subject), step in finest.items():
        for step_s in STEPS_S:
            start_s = at_s // step_s * step_s
            if start_s >= oldest_s[step_s]:  # else no chart shows it any more
                sums[Place(step_s, start_s, subject)].merge(step)
        if subject.kind in _SINCE_EVER:
            sums[Place(SINCE_EVER_S, 0, subject)].merge(step)
    return sums


def _by_who(records: Sequence[CallRecord], step_s: int) -> dict[Who, Step]:
    """Calls alike in all that they are counted by are counted once, not once for each subject."""
    counted: dict[Who, Step] = defaultdict(Step)
    for one in records:
        at_s = one.at_s // step_s * step_s
        step = counted[at_s, one.provider, one.model, one.key_id, one.owner]
        step.count(
            one.course,
            throttled=one.throttled_count,
            prompt=one.prompt_tokens,
            completion=one.completion_tokens,
        )
        if one.is_answered and not one.cached:
            step.time(Timing.of(one.duration_s, one.first_token_s, one.completion_tokens))
    return counted


def _kept(places: Iterable[Place]) -> Iterable[tuple[Place, Step]]:
    """What is in the database already for these places."""
    wanted = set(places)
    starts: dict[int, set[int]] = defaultdict(set)
    for place in wanted:
        starts[place.step_s].add(place.at_s)
    for step_s, at_s in starts.items():
        rows = Rollup.objects.filter(step_s=step_s, kind__in=Kind.values, at_s__in=at_s)
        for row in rows.values(*_KEY, *STEP_FIELDS):
            subject = Subject(Kind(row["kind"]), row["provider"], row["name"])
            place = Place(step_s, row["at_s"], subject)
            if place in wanted:
                yield place, step_of(row)


def _row(place: Place, step: Step) -> list[object]:
    """The values of _KEY and STEP_FIELDS as the database takes them."""
    subject = place.subject
    return [
        *(place.step_s, subject.kind.value, subject.provider, subject.name, place.at_s),
        *(step.courses.get(course, 0) for course in Course),
        *(getattr(step, name) for name in _COUNTS),
        *(json.dumps(getattr(step, name).to_plain()) for name in _SKETCHES),
    ]

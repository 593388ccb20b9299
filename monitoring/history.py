"""The picture of a span of time, read from the sums that are kept of calls."""

from __future__ import annotations

from collections.abc import Sequence

from monitoring.models import Rollup
from monitoring.querysets import RollupQuerySet
from monitoring.ranges import Range
from monitoring.rollups import STEP_FIELDS, step_of
from monitoring.series import Picture, Step
from monitoring.subjects import EVERYTHING, OF_A_PROVIDER, Kind, Subject


def picture_of(
    range_: Range, now_s: float, subject: Subject = EVERYTHING, by: Kind = Kind.PROVIDER
) -> Picture:
    """`subject`'s steps, and those of the busiest of kind `by`: at its provider, if it has one."""
    first_s = range_.first_s(now_s)
    steps = Rollup.objects.of_steps(range_, first_s)
    rows = _read(steps.of(subject), range_, first_s)
    busiest = steps.busiest(by, subject.provider if by in OF_A_PROVIDER else "")
    if busiest:
        found = _read(steps.of_any(busiest), range_, first_s)
        rows |= {one: found[one] for one in busiest if one in found}
    return Picture(range_.step_s, first_s, rows, range_.length)


def _read(found: RollupQuerySet, range_: Range, first_s: int) -> dict[Subject, Sequence[Step]]:
    rows: dict[Subject, list[Step]] = {}
    for row in found.values("kind", "provider", "name", "at_s", *STEP_FIELDS):
        subject = Subject(Kind(row["kind"]), row["provider"], row["name"])
        if subject not in rows:
            rows[subject] = [Step() for _ in range(range_.length)]
        # A call of another process' clock may lie ahead of ours: it belongs to the last step.
        number = min((row["at_s"] - first_s) // range_.step_s, range_.length - 1)
        rows[subject][number].merge(step_of(row))
    return dict(rows)

"""Reads of the calls and of their sums, named for what they serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, Sum

from monitoring.ranges import Range
from monitoring.subjects import Kind, Subject

if TYPE_CHECKING:
    from monitoring.models import CallRecord, Rollup  # noqa: F401 - named in strings below

CLOCKS_DIFFER_S = 3_600  # calls of a machine whose clock is ahead are still counted
ROWS_AT_MOST = 50  # of a table of models, keys or users: the busiest


class CallQuerySet(models.QuerySet["CallRecord"]):
    pass


class RollupQuerySet(models.QuerySet["Rollup"]):
    def of_steps(self, range_: Range, first_s: int) -> RollupQuerySet:
        """The rows of a range, those of clocks that are ahead with them."""
        last_s = first_s + range_.span_s + CLOCKS_DIFFER_S
        return self.filter(step_s=range_.step_s, at_s__gte=first_s, at_s__lt=last_s)

    def of(self, subject: Subject) -> RollupQuerySet:
        return self.filter(kind=subject.kind, provider=subject.provider, name=subject.name)

    def of_any(self, subjects: Sequence[Subject]) -> RollupQuerySet:
        """Of subjects of one kind, and maybe of some more: names are not told apart by provider."""
        return self.filter(
            kind=subjects[0].kind,
            provider__in={one.provider for one in subjects},
            name__in={one.name for one in subjects},
        )

    def busiest(self, kind: Kind, provider: str = "") -> list[Subject]:
        """Of a kind, within one provider where it is named; with the most calls first."""
        found = self.filter(kind=kind)
        if provider:
            found = found.filter(provider=provider)
        calls = Sum(F("first") + F("cache") + F("fallback") + F("failed") + F("cancelled"))
        rows = found.order_by().values_list("provider", "name").annotate(calls=calls)
        busiest = rows.order_by("-calls", "provider", "name")[:ROWS_AT_MOST]
        return [Subject(kind, of, name) for of, name, _ in busiest]

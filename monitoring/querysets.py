"""Reads of the call records, named for the page they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Count, F, Q, Sum

from gateway.types import Outcome
from monitoring.ranges import Range

if TYPE_CHECKING:
    from monitoring.models import CallRecord  # noqa: F401 - named in strings below

CLOCKS_DIFFER_S = 3_600  # calls of a machine whose clock is ahead are still counted
TIMINGS_AT_MOST = 10_000  # a percentile of so many is exact enough; more would only cost


class CallQuerySet(models.QuerySet["CallRecord"]):
    def within(self, first_s: int, last_s: int | None = None) -> CallQuerySet:
        found = self.filter(at_s__gte=first_s)
        return found if last_s is None else found.filter(at_s__lte=last_s)

    def mentioning(self, text: str) -> CallQuerySet:
        """Calls with this id (or its beginning), or with the text in model or reason."""
        return self.filter(
            Q(call_id__startswith=text) | Q(model__icontains=text) | Q(detail__icontains=text)
        )

    def that_came_out(self, outcome: str) -> CallQuerySet:
        """By course ("fallback") or by the engine's own word ("timeout")."""
        from monitoring.models import Course  # noqa: PLC0415 - the models import this module

        if outcome in Course.values:
            return self.filter(course=outcome)
        return self.filter(outcome=outcome)

    def counted_by_step(self, range_: Range, first_s: int) -> models.QuerySet[Any, Any]:
        """One row per step, provider and course, read from the index alone.

        Bounded on both sides: with one bound SQLite guesses so many rows that it reads them all
        in another index' order. Dividing whole numbers gives whole numbers in SQLite and in
        PostgreSQL.
        """
        return (
            self.within(first_s, first_s + range_.span_s + CLOCKS_DIFFER_S)
            .annotate(step=(F("at_s") - first_s) / range_.step_s)
            .order_by()
            .values("step", "provider", "course")
            .annotate(
                calls=Count("pk"),
                throttled=Sum("throttled_count"),
                prompt=Sum("prompt_tokens"),
                completion=Sum("completion_tokens"),
            )
        )

    def timed(self, first_s: int, of: int) -> models.QuerySet[Any, Any]:
        """Answers of providers since `first_s`: all, or every n-th when `of` is too many."""
        found = self.within(first_s).filter(outcome=Outcome.ANSWERED.value, cached="")
        every = -(-of // TIMINGS_AT_MOST)
        if every > 1:
            found = found.annotate(lot=F("id") % every).filter(lot=0)
        return found.order_by().values_list(
            "at_s", "provider", "duration_s", "first_token_s", "completion_tokens"
        )

"""Pages of calls by key, not by number: the millionth row costs what the first one costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import Q

from monitoring.models import CallRecord
from monitoring.querysets import CallQuerySet

PAGE = 50
COUNTED_AT_MOST = 10_000
SEARCHED_AT_ONCE = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadCursorError(ValueError):
    """The address names a place in the table that cannot be."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: beside the row with this time and id."""

    at: datetime
    pk: int

    @classmethod
    def parse(cls, text: str) -> Self:
        at_us, _, pk = text.partition("-")
        try:
            if not (at_us.isascii() and at_us.isdigit() and pk.isascii() and pk.isdigit()):
                raise BadCursorError(text)
            return cls(_EPOCH + timedelta(microseconds=int(at_us)), min(int(pk), 2**63 - 1))
        except (OverflowError, ValueError) as error:
            raise BadCursorError(text) from error

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.pk}"


@dataclass(frozen=True, slots=True)
class Search:
    """Calls that are asked for: `base` an index finds, in its order; `rest` each must be read for.

    So the rest is looked for among SEARCHED_AT_ONCE calls of the base at a time: what a page costs
    is bounded, however many calls there are and however few of them match.
    """

    base: CallQuerySet
    rest: Q = field(default_factory=Q)

    @property
    def all(self) -> CallQuerySet:
        return self.base.filter(self.rest)

    def beyond(self, cursor: Cursor | None, *, upward: bool) -> tuple[CallQuerySet, Cursor | None]:
        """What matches from there on, and where this look ends if that is not the end."""
        ordered = _beyond(self.base, cursor, upward=upward)
        if not self.rest:
            return ordered, None
        last = ordered.values_list("at", "pk")[SEARCHED_AT_ONCE - 1 : SEARCHED_AT_ONCE].first()
        if last is None:
            return ordered.filter(self.rest), None
        edge = Cursor(*last)
        if upward:
            within = Q(at__lt=edge.at) | Q(at=edge.at, pk__lte=edge.pk)
            return ordered.filter(within, self.rest, at__lte=edge.at), edge
        within = Q(at__gt=edge.at) | Q(at=edge.at, pk__gte=edge.pk)
        return ordered.filter(within, self.rest, at__gte=edge.at), edge


@dataclass(frozen=True, slots=True)
class CallPage:
    calls: list[CallRecord]
    previous: Cursor | None
    next: Cursor | None
    searched_to: Cursor | None = None  # beyond it calls were not looked at; `next` goes on there


def page_of(
    search: Search,
    *,
    oldest_first: bool = False,
    after: Cursor | None = None,
    before: Cursor | None = None,
) -> CallPage:
    """The page after or before a cursor, in the order shown; else the first one."""
    upward = oldest_first if before is None else not oldest_first
    found, edge = search.beyond(before or after, upward=upward)
    rows = list(found[: PAGE + 1])
    has_more = len(rows) > PAGE
    rows = rows[:PAGE]
    if has_more:
        edge = None
    onward = _cursor(rows, -1) if has_more else edge
    if before is not None:
        rows.reverse()
        return CallPage(rows, _cursor(rows, 0) if has_more else edge, _cursor(rows, -1) or before)
    return CallPage(rows, _cursor(rows, 0) or after if after else None, onward, edge)


def bounded_count(search: Search) -> int:
    """How many match in the first look, at most one more than COUNTED_AT_MOST."""
    found, _ = search.beyond(None, upward=False)
    return found.order_by().values("pk")[: COUNTED_AT_MOST + 1].count()


def _beyond(found: CallQuerySet, cursor: Cursor | None, *, upward: bool) -> CallQuerySet:
    ordered = found.order_by("at", "pk") if upward else found.order_by("-at", "-pk")
    if cursor is None:
        return ordered
    # The bound on the time alone says where in the index to begin; from the "or" PostgreSQL
    # does not see it, and reads all that comes before.
    if upward:
        ordered = ordered.filter(at__gte=cursor.at)
        return ordered.filter(Q(at__gt=cursor.at) | Q(at=cursor.at, pk__gt=cursor.pk))
    ordered = ordered.filter(at__lte=cursor.at)
    return ordered.filter(Q(at__lt=cursor.at) | Q(at=cursor.at, pk__lt=cursor.pk))


def _cursor(rows: list[CallRecord], at: int) -> Cursor | None:
    return Cursor(rows[at].at, rows[at].pk) if rows else None

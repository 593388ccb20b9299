"""Pages of calls by key, not by number: the millionth row costs what the first one costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from django.db.models import Q

from monitoring.models import CallRecord
from monitoring.querysets import CallQuerySet

PAGE = 50
COUNTED_AT_MOST = 10_000
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
class CallPage:
    calls: list[CallRecord]
    previous: Cursor | None
    next: Cursor | None


def page_of(
    found: CallQuerySet,
    *,
    oldest_first: bool = False,
    after: Cursor | None = None,
    before: Cursor | None = None,
) -> CallPage:
    """The page after or before a cursor, in the order shown; else the first one."""
    upward = oldest_first if before is None else not oldest_first
    cursor = before or after
    rows = list(_beyond(found, cursor, upward=upward)[: PAGE + 1])
    has_more = len(rows) > PAGE
    rows = rows[:PAGE]
    if before is not None:
        rows.reverse()
        return CallPage(rows, _cursor(rows, 0) if has_more else None, _cursor(rows, -1))
    return CallPage(
        rows, _cursor(rows, 0) if after else None, _cursor(rows, -1) if has_more else None
    )


def bounded_count(found: CallQuerySet) -> int:
    """How many match, at most one more than COUNTED_AT_MOST: nobody reads on from there."""
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

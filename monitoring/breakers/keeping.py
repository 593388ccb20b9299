"""The engine's story of its breakers, kept in the database: every change once, in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from django.db.models import Max

from gateway.resilience.watching import BEGINNING, BreakerChange, ChangeKind
from monitoring.models import BreakerEvent

SHOWN_FOR = dt.timedelta(days=7)
KEPT_FOR = dt.timedelta(days=90)
_SHOWN_AT_MOST = 5_000


def keep(changes: Iterable[BreakerChange]) -> None:
    """Any number of processes may keep the same changes."""
    BreakerEvent.objects.bulk_create([_row(one) for one in changes], ignore_conflicts=True)


def last_kept(providers: Iterable[str]) -> dict[str, str]:
    """Where to read on in each provider's story."""
    newest = BreakerEvent.objects.values("provider").annotate(last=Max("pk")).values("last")
    known = dict(BreakerEvent.objects.filter(pk__in=newest).values_list("provider", "entry_id"))
    return {one: known.get(one, BEGINNING) for one in providers}


def recent(since: dt.datetime) -> list[BreakerChange]:
    """The newest changes since then, oldest first."""
    rows = BreakerEvent.objects.filter(at__gte=since)[:_SHOWN_AT_MOST]
    return [_change(row) for row in rows][::-1]


def newest_ids(changes: Iterable[BreakerChange], known: Mapping[str, str]) -> dict[str, str]:
    """`known`, moved on to the last of the changes, which come in order."""
    return {**known, **{one.provider: one.entry_id for one in changes}}


def _row(change: BreakerChange) -> BreakerEvent:
    return BreakerEvent(
        provider=change.provider[:80],
        model=(change.model or "")[:200],
        entry_id=change.entry_id,
        at=_moment(change.at_s),
        kind=change.kind,
        until=_moment(change.until_s) if change.until_s else None,
        trips=change.trips,
        reason=change.reason.replace("\x00", ""),
        by=change.by[:150],
    )


def _change(row: BreakerEvent) -> BreakerChange:
    return BreakerChange(
        provider=row.provider,
        model=row.model or None,
        entry_id=row.entry_id,
        kind=ChangeKind(row.kind),
        until_s=row.until.timestamp() if row.until else 0.0,
        trips=row.trips,
        reason=row.reason,
        by=row.by,
    )


def _moment(at_s: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_s, dt.UTC)

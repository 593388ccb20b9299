"""Calls into the database, each once: their rows and the sums they belong to, or neither.

Events come at least once, a sum must count each call exactly once. Both are written in one
transaction, and only calls whose row is new are added to the sums. A task that adds up later would
need a watermark, which a late event (a process that was away, a clock that is behind) falls behind:
it would be lost, or counted twice when the step is counted again after its rows were pruned.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from monitoring.bulk import insert
from monitoring.models import CallRecord
from monitoring.records import COLUMNS, row_of
from monitoring.rollups import add_up

_LOCK = 0x66726C6C  # any number that nobody else uses


def keep(records: Sequence[CallRecord]) -> int:
    """How many were new. Raises DatabaseError, and then nothing is kept of any of them."""
    with transaction.atomic():
        _one_at_a_time()
        fresh = _new_ones(records)
        insert(CallRecord, COLUMNS, map(row_of, fresh))
        add_up(fresh)
    return len(fresh)


def _new_ones(records: Sequence[CallRecord]) -> list[CallRecord]:
    by_id = {record.call_id: record for record in records}
    known = CallRecord.objects.filter(call_id__in=by_id).values_list("call_id", flat=True)
    for call_id in known:
        del by_id[call_id]
    return list(by_id.values())


def _one_at_a_time() -> None:
    """Until the transaction ends. SQLite has one writer anyway: transactions begin IMMEDIATE."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])

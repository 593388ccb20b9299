"""The indexes do what they were made for, on a database that was never analysed."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.db import connection, models

from monitoring.models import CallRecord, Rollup
from monitoring.paging import Cursor, _beyond
from monitoring.ranges import RANGES, Range
from monitoring.subjects import EVERYTHING
from tests.factories import make_call

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan"),
]


def plan(found: models.QuerySet[Any, Any]) -> str:
    sql, parameters = found.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return "; ".join(row[3] for row in cursor.fetchall())


@pytest.mark.parametrize("range_", RANGES.values(), ids=RANGES)
def test_a_chart_reads_its_own_steps_only(range_: Range) -> None:
    """Of one subject in one length of steps, beginning where the chart begins."""
    make_call()
    found = Rollup.objects.of_steps(range_, range_.first_s(time.time()))
    steps = plan(found.of(EVERYTHING))

    assert re.search(r"SEARCH .* \(step_s=\? AND kind=\? .*at_s>\?", steps), steps


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "call_newest"),
        ({"provider": "x"}, "call_provider_newest"),
        ({"course": "failed"}, "call_course_newest"),
        ({"outcome": "timeout"}, "call_outcome_newest"),
        ({"source": "api"}, "call_source_newest"),
    ],
)
def test_pages_are_read_in_index_order(filters: dict[str, str], index: str) -> None:
    """The newest fifty of a million are found without sorting."""
    steps = plan(CallRecord.objects.filter(**filters).order_by("-at", "-pk")[:51])

    assert index in steps
    assert "TEMP B-TREE" not in steps


@pytest.mark.parametrize("upward", [True, False])
def test_a_far_page_begins_where_it_begins(upward: bool) -> None:
    """The index is entered at the cursor, not read up to it."""
    cursor = Cursor(make_call().at, 1)
    steps = plan(_beyond(CallRecord.objects.all(), cursor, upward=upward)[:51])

    assert re.search(r"SEARCH \S+ USING INDEX call_newest \(at[<>]", steps), steps
    assert "TEMP B-TREE" not in steps

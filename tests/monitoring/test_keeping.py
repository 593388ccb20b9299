"""Each call is one row and is counted once in every sum it belongs to, or in none."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from gateway.types import Outcome
from monitoring.keeping import keep
from monitoring.models import CallRecord, Rollup
from monitoring.ranges import DAY_S, HOUR, STEPS_S
from monitoring.records import record_of
from monitoring.rollups import SINCE_EVER_S, step_of
from monitoring.subjects import Kind
from monitoring.tasks import prune_rollups
from tests.factories import make_call, make_event

pytestmark = pytest.mark.django_db

BEGAN_S = int(time.time()) - 5_000  # lately enough for the finest steps
EVENTS = [
    make_event(at=BEGAN_S, provider="sparrow", duration_s=0.5),
    make_event(at=BEGAN_S + 1, provider="sparrow", outcome=Outcome.TIMEOUT),
    make_event(at=BEGAN_S + 4_000, provider="wagtail", duration_s=2.0, owner=""),
    make_event(
        at=BEGAN_S + 4_000, provider="", model="", key_id="none", outcome=Outcome.QUEUE_FULL
    ),
    make_event(at=BEGAN_S + 4_500, provider="wagtail", cached="memory", key_id="none"),
]


def calls_by(kind: Kind, step_s: int) -> int:
    rows = Rollup.objects.filter(kind=kind, step_s=step_s)
    return sum(step_of(row).calls for row in rows.values())


class TestSums(TestCase):  # hypothesis wants a clean database for each example
    @given(st.lists(st.lists(st.integers(0, len(EVENTS) - 1), max_size=8), min_size=1, max_size=5))
    def test_whatever_arrives_how_often(self, batches: list[list[int]]) -> None:
        """In any batches, in any order, repeated: the sums are those of the rows."""
        fresh = [keep([record_of(EVENTS[number]) for number in batch]) for batch in batches]
        told = {number for batch in batches for number in batch}

        assert sum(fresh) == CallRecord.objects.count() == len(told)
        for step_s in (*STEPS_S, SINCE_EVER_S):
            assert calls_by(Kind.ALL, step_s) == len(told)
            assert calls_by(Kind.PROVIDER, step_s) == len(told - {3})
        assert calls_by(Kind.OWNER, HOUR.step_s) == len(told - {2})
        assert calls_by(Kind.KEY, HOUR.step_s) == len(told - {3, 4})
        timed = sum(
            step_of(row).duration_s.count
            for row in Rollup.objects.filter(kind=Kind.ALL, step_s=DAY_S).values()
        )
        assert timed == len(told & {0, 2})


def test_nothing_is_kept_by_halves() -> None:
    """A row that the database refuses takes the others of its batch, and their sums, with it."""
    records = [record_of(make_event()), record_of(make_event())]
    records[1].outcome = None  # type: ignore[assignment]  # what no event can do
    with pytest.raises(DatabaseError):
        keep(records)

    assert not CallRecord.objects.exists()
    assert not Rollup.objects.exists()


def test_sums_outlive_their_rows(settings: Any) -> None:
    """Fine steps go when no chart shows them; days stay for their own retention."""
    settings.ROLLUP_RETENTION_DAYS = 100
    for days in (0, 2, 99, 102):
        make_call(at=(timezone.now() - timedelta(days=days)).timestamp())
    CallRecord.objects.all().delete()
    prune_rollups()

    assert calls_by(Kind.ALL, DAY_S) == 3
    assert calls_by(Kind.ALL, 10_800) == 2
    assert calls_by(Kind.ALL, 60) == 1
    assert calls_by(Kind.ALL, SINCE_EVER_S) == 4
    assert prune_rollups() == 0


def test_a_batch_costs_few_queries(django_assert_max_num_queries: Any) -> None:
    """However many calls there are in it, of however many models."""
    now_s = time.time()
    records = [record_of(make_event(at=now_s, model=f"m{n % 7}")) for n in range(40)]
    with django_assert_max_num_queries(20):
        keep(records)

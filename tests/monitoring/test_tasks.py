"""Old calls are forgotten, in batches, and only those."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from monitoring.models import CallRecord
from monitoring.records import record_of
from monitoring.tasks import PRUNE_BATCH, prune_calls
from tests.factories import make_call, make_event

pytestmark = pytest.mark.django_db


def test_forgets_what_is_older_than_the_retention(settings: Any) -> None:
    """More than one batch goes; the youngest stay; a second run finds nothing."""
    settings.CALL_RETENTION_DAYS = 7
    old = (timezone.now() - timedelta(days=8)).timestamp()
    CallRecord.objects.bulk_create([record_of(make_event(at=old)) for _ in range(PRUNE_BATCH + 5)])
    kept = make_call(at=(timezone.now() - timedelta(days=6)).timestamp())

    assert prune_calls() == PRUNE_BATCH + 5
    assert list(CallRecord.objects.values_list("call_id", flat=True)) == [kept.call_id]
    assert prune_calls() == 0

"""Housekeeping: calls older than the retention are forgotten."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from monitoring.models import CallRecord

logger = logging.getLogger(__name__)

PRUNE_BATCH = 2_000  # rows per transaction: the recorder's writes wait no longer than one batch


@shared_task(soft_time_limit=600, time_limit=660)
def prune_calls() -> int:
    """Remove calls older than CALL_RETENTION_DAYS; running it twice removes nothing more."""
    horizon = timezone.now() - timedelta(days=settings.CALL_RETENTION_DAYS)
    removed = 0
    while batch := _oldest_before(horizon.timestamp()):
        removed += CallRecord.objects.filter(pk__in=batch).delete()[0]
    if removed:
        logger.info("Forgot %d calls from before %s", removed, horizon.date())
    return removed


def _oldest_before(horizon_s: float) -> list[int]:
    old = CallRecord.objects.filter(at_s__lt=int(horizon_s)).order_by("at_s")
    return list(old.values_list("pk", flat=True)[:PRUNE_BATCH])

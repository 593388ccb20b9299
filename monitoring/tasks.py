"""Housekeeping: calls, and then their sums, older than their retention are forgotten."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from monitoring.breakers.keeping import KEPT_FOR
from monitoring.models import ENDED, BreakerEvent, CallRecord, Rollup, TaskRecord
from monitoring.ranges import STEPS_S, kept_for_s
from monitoring.tuning import what_if

logger = logging.getLogger(__name__)

PRUNE_BATCH = 2_000  # rows per transaction: the recorder's writes wait no longer than one batch
TASKS_KEPT_DAYS = 7


@shared_task(soft_time_limit=600, time_limit=660)
def prune_calls() -> int:
    """Remove calls older than CALL_RETENTION_DAYS; running it twice removes nothing more."""
    horizon = timezone.now() - timedelta(days=settings.CALL_RETENTION_DAYS)
    removed = 0
    while batch := _oldest_before(horizon):
        removed += CallRecord.objects.filter(pk__in=batch).delete()[0]
    if removed:
        logger.info("Forgot %d calls from before %s", removed, horizon.date())
    return removed


def _oldest_before(horizon: datetime) -> list[int]:
    old = CallRecord.objects.filter(at__lt=horizon).order_by("at")
    return list(old.values_list("pk", flat=True)[:PRUNE_BATCH])


@shared_task(soft_time_limit=600, time_limit=660)
def prune_breaker_events() -> int:
    """Remove changes of breakers that no page shows any more."""
    removed, _ = BreakerEvent.objects.filter(at__lt=timezone.now() - KEPT_FOR).delete()
    return removed


@shared_task(soft_time_limit=600, time_limit=660)
def prune_tasks() -> int:
    """Remove the records of tasks that ended more than a week ago."""
    horizon = timezone.now() - timedelta(days=TASKS_KEPT_DAYS)
    old = TaskRecord.objects.filter(state__in=ENDED, sent_at__lt=horizon).order_by("sent_at")
    removed = 0
    while batch := list(old.values_list("pk", flat=True)[:PRUNE_BATCH]):
        removed += TaskRecord.objects.filter(pk__in=batch).delete()[0]
    return removed


@shared_task(soft_time_limit=600, time_limit=660)
def prune_rollups() -> int:
    """Remove sums that no chart shows any more, and days older than ROLLUP_RETENTION_DAYS."""
    now_s = timezone.now().timestamp()
    removed = 0
    for step_s in STEPS_S:
        old = Rollup.objects.filter(step_s=step_s, at_s__lt=int(now_s - kept_for_s(step_s)))
        while batch := list(old.values_list("pk", flat=True)[:PRUNE_BATCH]):
            removed += Rollup.objects.filter(pk__in=batch).delete()[0]
    return removed


@shared_task(soft_time_limit=900, time_limit=960)
def replay_calls(job: str) -> None:
    """The past by proposed limits; its page tells how far it is."""
    if (found := what_if.find(job)) is not None and found.state == "queued":
        what_if.run(found)

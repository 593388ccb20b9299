"""Celery's side of the refresh."""

from __future__ import annotations

import logging

from asgiref.sync import async_to_sync
from celery import shared_task
from celery.signals import worker_ready

from catalog import worker_policy  # noqa: F401 - connects what a worker does at its start
from catalog.engine import engine
from catalog.limit_probes import probe_limits
from catalog.models import Refresh, RefreshState
from catalog.rechecking import recheck_down
from catalog.refresh import refresh
from catalog.refused import probe_refused
from catalog.services import claim, fail_silent, finish, prune_refreshes, queue_due
from catalog.warming import warm

SOFT_LIMIT_S = 300

logger = logging.getLogger(__name__)


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def refresh_all(refresh_id: int | None = None) -> None:
    """Renew every list; beat calls it without an id, for those that are due."""
    if refresh_id is None:
        due = queue_due()
        refresh_id = due.pk if due else None
    if refresh_id is not None:
        run(refresh_id)
        prune_refreshes()


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def refresh_one(refresh_id: int) -> None:
    """Renew one provider's list."""
    run(refresh_id)


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def settle() -> None:
    """End refreshes whose worker was killed, so that no page shows them running for ever."""
    count = fail_silent()
    if count:
        logger.warning("%s refreshes were set aside: their worker is gone", count)


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def probe_refused_offers() -> None:
    """Ask offers whose calls were answered 404 or 410 whether they answer again."""
    async_to_sync(probe_refused)()


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def probe_limits_daily() -> None:
    """Ask providers what the limits are, where an admin switched that on."""
    async_to_sync(probe_limits)()


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def recheck_down_keys() -> None:
    """Check keys again whose provider did not answer ten minutes ago."""
    async_to_sync(recheck_down)()


@shared_task(soft_time_limit=SOFT_LIMIT_S)
def warm_cache() -> None:
    """Fetch ahead what prompts will ask the cache for."""
    async_to_sync(_warm)()


async def _warm() -> None:
    async with engine() as gateway:
        await warm(gateway.cache)


@worker_ready.connect
def settle_at_start(**_: object) -> None:
    """As a task, because the worker's own process must not hold a database connection."""
    settle.delay()


def run(refresh_id: int) -> None:
    """Do a refresh that nobody has claimed; whatever happens, its row ends as done or failed."""
    if not claim(refresh_id):
        return
    try:
        async_to_sync(refresh)(refresh_id)
    except Exception:
        logger.exception("Refresh %s broke off", refresh_id)
        finish(refresh_id, RefreshState.FAILED, "It broke off; the worker's log says why.")
    else:
        finish(refresh_id, RefreshState.DONE, _summary(refresh_id))


def _summary(refresh_id: int) -> str:
    results = list(Refresh.objects.get(pk=refresh_id).results.all())
    failed = sum(not one.is_ok for one in results)
    counts = {
        "new": sum(one.added for one in results),
        "returned": sum(one.returned for one in results),
        "missing": sum(one.missing for one in results),
        "gone": sum(one.gone for one in results),
        "changed": sum(one.changed for one in results),
    }
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    renewed = f"{len(results) - failed} of {len(results)} lists renewed"
    return f"{renewed}: {', '.join(parts) or 'no changes'}."

"""Refreshes as pages and tasks ask for them: never two of one scope at once.

The database itself refuses a second active row (`one_active_refresh`), so no lock can be left
behind. A refresh whose worker was killed falls silent and is set aside.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from catalog.models import ACTIVE_STATES, Provider, Refresh, RefreshState

# A running refresh tells every few seconds that it is alive (`refresh.HEARTBEAT_S`).
SILENT_AFTER = dt.timedelta(seconds=90)
# Refreshes and their results are kept this long; what they changed is kept for ever.
KEPT_FOR = dt.timedelta(days=90)

logger = logging.getLogger(__name__)


def request_refresh(
    provider: Provider | None = None, user: AbstractBaseUser | None = None
) -> Refresh:
    """Queue a refresh of one provider or of all, or answer the one that is under way."""
    refresh = queue_refresh(provider, user)
    if refresh.state == RefreshState.QUEUED:
        # Sent again for a row that waits already: its first message may have been lost with
        # the broker, and only one of them can claim the row.
        transaction.on_commit(lambda: _send(refresh))
    return refresh


def queue_refresh(
    provider: Provider | None = None, user: AbstractBaseUser | None = None
) -> Refresh:
    """The active refresh of this scope, a new one where there is none."""
    fail_silent()
    active = Refresh.objects.filter(provider=provider, state__in=ACTIVE_STATES)
    try:
        with transaction.atomic():
            found = active.first()
            requester = user.pk if user else None
            return found or Refresh.objects.create(provider=provider, requested_by_id=requester)
    except IntegrityError:  # someone else was quicker by a moment
        return active.get()


def claim(refresh_id: int) -> bool:
    """Make a queued refresh this worker's own; False where it is another's, or over."""
    now = timezone.now()
    queued = Refresh.objects.filter(pk=refresh_id, state=RefreshState.QUEUED)
    claimed = queued.update(state=RefreshState.RUNNING, started_at=now, heartbeat_at=now)
    return claimed == 1


def finish(refresh_id: int, state: RefreshState, detail: str) -> None:
    """End a running refresh; one that was set aside meanwhile stays as it is."""
    running = Refresh.objects.filter(pk=refresh_id, state=RefreshState.RUNNING)
    running.update(state=state, detail=detail, finished_at=timezone.now())


def fail_silent() -> int:
    """Set aside refreshes whose worker is gone; answer how many."""
    silent = Refresh.objects.filter(
        state=RefreshState.RUNNING, heartbeat_at__lt=timezone.now() - SILENT_AFTER
    )
    return silent.update(
        state=RefreshState.FAILED,
        finished_at=timezone.now(),
        detail="The worker that ran it is gone. What was renewed until then holds.",
    )


def prune_refreshes() -> None:
    """Forget refreshes that ended long ago, and their results."""
    old = Refresh.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    old.exclude(state__in=ACTIVE_STATES).delete()


def _send(refresh: Refresh) -> None:
    from catalog.tasks import refresh_all, refresh_one  # noqa: PLC0415 - tasks import us

    task = refresh_one if refresh.provider_id else refresh_all
    try:
        task.apply_async(args=(refresh.pk,), retry=False)
    except OperationalError as error:
        logger.warning("Refresh %s could not be queued: %s", refresh.pk, error)
        detail = "The task queue does not answer. Check Redis and the worker, then try again."
        Refresh.objects.filter(pk=refresh.pk, state=RefreshState.QUEUED).update(
            state=RefreshState.FAILED, detail=detail, finished_at=timezone.now()
        )

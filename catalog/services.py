"""Refreshes as pages and tasks ask for them: never two of one scope at once.

The database itself refuses a second active row (`one_active_refresh`), so no lock can be left
behind. A refresh whose worker was killed falls silent and is set aside.
"""

from __future__ import annotations

import datetime as dt
import logging

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from catalog.lists import due_calls
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
    active = Refresh.objects.filter(provider=provider, is_scheduled=False, state__in=ACTIVE_STATES)
    try:
        with transaction.atomic():
            found = active.first()
            requester = user.pk if user else None
            return found or Refresh.objects.create(provider=provider, requested_by_id=requester)
    except IntegrityError:  # someone else was quicker by a moment
        return active.get()


def queue_due() -> Refresh | None:
    """A refresh of the lists that are due; None where none is, or where that is under way."""
    fail_silent()
    scheduled = Refresh.objects.filter(is_scheduled=True, state__in=ACTIVE_STATES)
    if scheduled.exists() or not due_calls():
        return None
    try:
        with transaction.atomic():
            return Refresh.objects.create(is_scheduled=True)
    except IntegrityError:  # another worker was quicker by a moment
        return None


def claim(refresh_id: int) -> bool:
    """Make a queued refresh this worker's own; False where it is another's, or over."""
    now = timezone.now()
    queued = Refresh.objects.filter(pk=refresh_id, state=RefreshState.QUEUED)
    claimed = queued.update(state=RefreshState.RUNNING, started_at=now, heartbeat_at=now)
    return claimed == 1


def finish(refresh_id: int, state: RefreshState, detail: str) -> None:
    """End a running refresh; one that was set aside meanwhile stays as it is.

    One that came too late, because others had renewed its lists, leaves no trace.
    """
    running = Refresh.objects.filter(pk=refresh_id, state=RefreshState.RUNNING)
    if state == RefreshState.DONE and running.filter(is_scheduled=True, total=0).delete()[0]:
        return
    running.update(state=state, detail=detail, finished_at=timezone.now())


def fail_silent() -> int:
    """Set aside refreshes whose worker is gone; answer how many."""
    long_ago = timezone.now() - SILENT_AFTER
    running = Q(state=RefreshState.RUNNING, heartbeat_at__lt=long_ago)
    # A scheduled one is begun by the worker that made it, or by nobody.
    never_begun = Q(state=RefreshState.QUEUED, is_scheduled=True, created_at__lt=long_ago)
    silent = Refresh.objects.filter(running | never_begun)
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

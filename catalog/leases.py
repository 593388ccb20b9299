"""Whose turn it is: which lists are due, and that each is renewed by one refresh at a time.

A refresh holds a provider from its claim until its result is written. The claim of a worker that
was killed ends with its refresh (`services.fail_silent`); its lists are then still due, so the
next run renews them.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from catalog.models import Provider, Refresh, RefreshState

# Lists are asked for this much sooner or later than their interval says, each time anew: those
# that were first asked for together drift apart.
JITTER = 0.1


def interval(provider: Provider) -> dt.timedelta:
    """How often its list is asked for: as an admin said, else as the settings say."""
    return dt.timedelta(seconds=provider.refresh_every_s or settings.CATALOG_REFRESH_INTERVAL_S)


def next_time(provider: Provider) -> dt.datetime:
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spread, not secrecy
    return timezone.now() + interval(provider) * spread


def claim_lists(refresh: Refresh, providers: Sequence[Provider]) -> set[int]:
    """Make these providers' lists this refresh's own; answer the ids of those that now are.

    Left out are those that another refresh renews just now, and in a scheduled refresh those that
    another one has renewed in the meantime.
    """
    with transaction.atomic():
        rows = (
            Provider.objects.select_for_update(of=("self",))
            .filter(pk__in=[one.pk for one in providers])
            .select_related("refreshing")
            .order_by("pk")
        )
        ours = {
            one.pk for one in rows if _is_free(one) and (is_due(one) or not refresh.is_scheduled)
        }
        Provider.objects.filter(pk__in=ours).update(refreshing=refresh)
    return ours


def release_list(refresh: Refresh, provider: Provider) -> None:
    """The result is there; the list is due again an interval from now."""
    held = Provider.objects.filter(pk=provider.pk, refreshing=refresh)
    held.update(refreshing=None, next_refresh_at=next_time(provider))


def set_interval(provider: Provider, every_s: int | None) -> None:
    """Ask for its list this often from now on; None: as often as for every list."""
    provider.refresh_every_s = every_s
    if provider.next_refresh_at is not None:
        provider.next_refresh_at = next_time(provider)
    provider.save(update_fields=["refresh_every_s", "next_refresh_at"])


def is_due(provider: Provider) -> bool:
    return provider.next_refresh_at is None or provider.next_refresh_at <= timezone.now()


def _is_free(provider: Provider) -> bool:
    held_by = provider.refreshing
    return held_by is None or held_by.state != RefreshState.RUNNING

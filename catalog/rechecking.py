"""Keys whose provider did not answer their check: checked again by itself, until it does."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.utils import timezone

from catalog.key_check import check_key
from catalog.key_store import keep_report
from catalog.keys import DOWN_FOR, UsableKey, open_key
from catalog.models import KeyVerdict, ProviderKey

MOST_AT_ONCE = 10


async def recheck_down() -> int:
    """How many were checked: those whose last check was a while ago."""
    due = await sync_to_async(_claimed)()
    for row, key in due:
        report = await check_key(row.provider, key)
        await sync_to_async(keep_report)(row, report)
    return len(due)


def _claimed() -> list[tuple[ProviderKey, UsableKey]]:
    now = timezone.now()
    due = ProviderKey.objects.filter(
        verdict=KeyVerdict.PROVIDER_DOWN,
        checked_at__lte=now - DOWN_FOR,
        is_enabled=True,
        provider__is_enabled=True,
        provider__is_retired=False,
    )
    rows = due.select_related("provider").order_by("checked_at")[:MOST_AT_ONCE]
    opened = [(row, open_key(row, row.provider)) for row in rows]
    return [
        (row, key)
        for row, key in opened
        if key and due.filter(pk=row.pk, checked_at=row.checked_at).update(checked_at=now)
    ]

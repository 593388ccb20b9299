"""Refreshes done on the spot, and what came of them."""

from __future__ import annotations

from catalog.models import Change, Provider, Refresh
from catalog.services import queue_refresh
from catalog.tasks import run


def refreshed(provider: Provider | None = None) -> Refresh:
    """Queue and do a refresh; answer its row as it ended."""
    row = queue_refresh(provider)
    run(row.pk)
    row.refresh_from_db()
    return row


def changes(provider: Provider) -> list[tuple[str, str]]:
    """What happened at a provider, oldest first."""
    rows = Change.objects.filter(provider=provider).order_by("pk")
    return [(row.kind, row.external_id) for row in rows]

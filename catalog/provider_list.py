"""Providers as rows of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet

from catalog.keys import environment_key
from catalog.models import Offer, OfferStatus, Provider, ProviderKey
from catalog.targets import Obstacle, obstacles


@dataclass(frozen=True, slots=True)
class ProviderLine:
    provider: Provider
    obstacle: Obstacle | None
    offer_count: int
    key_count: int
    has_environment_key: bool


def provider_lines(search: str) -> list[ProviderLine]:
    """Those whose name, slug or notes hold every word: callable first, retired last."""
    obstacle_of = obstacles()
    offer_counts = _counts(Offer.objects.shown().filter(status=OfferStatus.ACTIVE))
    key_counts = _counts(ProviderKey.objects.filter(is_enabled=True))
    words = search.casefold().split()
    lines = [
        ProviderLine(
            provider=row,
            obstacle=obstacle_of[row.pk],
            offer_count=offer_counts.get(row.pk, 0),
            key_count=key_counts.get(row.pk, 0),
            has_environment_key=environment_key(row) is not None,
        )
        for row in Provider.objects.all()
        if all(
            word in f"{row.name} {row.slug} {row.origin} {row.tier}".casefold() for word in words
        )
    ]
    return sorted(
        lines,
        key=lambda line: (
            line.obstacle is not None,
            line.provider.is_retired,
            line.provider.name.casefold(),
        ),
    )


def _counts(rows: QuerySet[Any]) -> dict[int, int]:
    """How many of the rows each provider has."""
    return dict(rows.order_by().values_list("provider").annotate(Count("pk")))

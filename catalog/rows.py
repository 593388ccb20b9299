"""The catalog's rows as its pages filter them, kept in each process while nothing changes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache
from django.utils import timezone

from catalog import generation
from catalog.models import CHAT_MODALITIES, Change, ChangeKind, Model, Offer, OfferStatus, Provider

NEW_FOR = timedelta(days=7)
SIZE_BANDS = ((10, "small"), (40, "medium"), (150, "large"), (float("inf"), "huge"))

# What the generation does not hear of (a row changed by hand) is seen by age.
_KEEP_S = 10.0


class Traits(NamedTuple):
    """What filters ask of an offer; thousands of offers share some hundred of these."""

    provider: str
    tier: str
    is_retired: bool
    is_usable: bool
    is_new: bool


class OfferRow(NamedTuple):
    pk: int
    provider: str
    provider_name: str
    external_id: str
    context_tokens: int | None
    traits: Traits

    @property
    def is_retired(self) -> bool:
        return self.traits.is_retired

    @property
    def is_usable(self) -> bool:
        return self.traits.is_usable

    @property
    def is_new(self) -> bool:
        return self.traits.is_new


@dataclass(frozen=True, slots=True)
class ModelRow:
    pk: int
    slug: str
    name: str
    family: str
    params_b: float | None
    active_params_b: float | None
    modality: str
    specialties: tuple[str, ...]
    offers: tuple[OfferRow, ...]

    @property
    def size(self) -> str:
        if self.params_b is None:
            return "unknown"
        return next(name for limit, name in SIZE_BANDS if self.params_b < limit)

    @property
    def context_tokens(self) -> int | None:
        """The longest context among the offers."""
        return max((one.context_tokens for one in self.offers if one.context_tokens), default=None)

    @property
    def usable_count(self) -> int:
        return sum(one.is_usable for one in self.offers)

    @property
    def chats(self) -> bool:
        return self.modality in CHAT_MODALITIES

    @property
    def can_answer(self) -> bool:
        """Whether the playground can send it a prompt now."""
        return self.chats and self.usable_count > 0

    @property
    def is_new(self) -> bool:
        return any(one.is_new for one in self.offers)


# By the catalog's generation and by who can be called; two, as one is replaced by the next.
_kept: TTLCache[tuple[int, frozenset[int]], list[ModelRow]] = TTLCache(2, _KEEP_S, time.monotonic)
_lock = Lock()


def catalog_rows(usable_providers: Collection[int]) -> list[ModelRow]:
    """Every model with its offers; read anew when the catalog changed or Redis is away."""
    number = generation.current()
    if number is None:
        return load_rows(usable_providers)
    key = (number, frozenset(usable_providers))
    with _lock:
        rows = _kept.get(key)
    if rows is None:
        rows = load_rows(usable_providers)
        with _lock:
            _kept[key] = rows
    return rows


def forget() -> None:
    """Read anew next time, whatever the generation says."""
    with _lock:
        _kept.clear()


def load_rows(usable_providers: Collection[int]) -> list[ModelRow]:
    """Every model with its offers, in four queries."""
    offers = _offers_by_model(usable_providers)
    columns = ("slug", "name", "family", "params_b", "active_params_b", "modality", "specialties")
    return [
        ModelRow(
            pk=row["pk"],
            offers=_in_trying_order(offers[row["pk"]]),
            specialties=tuple(row.pop("specialties")),
            **{name: row[name] for name in columns[:-1]},
        )
        for row in Model.objects.order_by().values("pk", *columns)
        if row["pk"] in offers
    ]


def _offers_by_model(usable_providers: Collection[int]) -> dict[int, list[OfferRow]]:
    """Providers are read apart: a join would carry each of them thousands of times."""
    since = timezone.now() - NEW_FOR
    changes = Change.objects.filter(kind=ChangeKind.ADDED, at__gte=since)
    new = set(changes.values_list("offer_id", flat=True))
    providers = {one.pk: one for one in Provider.objects.only("slug", "name", "tier", "is_retired")}
    offers = Offer.objects.filter(is_hidden=False).order_by("external_id")
    by_model: dict[int, list[OfferRow]] = defaultdict(list)
    for pk, model_id, provider_id, external_id, context_tokens, status in offers.values_list(
        "pk", "model_id", "provider_id", "external_id", "context_tokens", "status"
    ):
        provider = providers[provider_id]
        row = OfferRow(
            pk=pk,
            provider=provider.slug,
            provider_name=provider.name,
            external_id=external_id,
            context_tokens=context_tokens,
            traits=Traits(
                provider=provider.slug,
                tier=provider.tier,
                is_retired=provider.is_retired or status == OfferStatus.RETIRED,
                is_usable=status == OfferStatus.ACTIVE and provider_id in usable_providers,
                is_new=pk in new,
            ),
        )
        by_model[model_id].append(row)
    return by_model


def _in_trying_order(offers: Sequence[OfferRow]) -> tuple[OfferRow, ...]:
    if len(offers) == 1:
        return (offers[0],)
    order = sorted(offers, key=lambda one: (not one.is_usable, one.is_retired, one.provider_name))
    return tuple(order)

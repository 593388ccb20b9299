"""The catalog's rows as its pages filter them, kept in each process while nothing changes."""

from __future__ import annotations

import datetime as dt
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from threading import Lock
from typing import Any, NamedTuple

from cachetools import TTLCache
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils import timezone

from catalog import generation
from catalog.choices import AllChosen, all_chosen
from catalog.chosen import NOTHING_CHOSEN, Chosen, Pinned, pinned_limits, with_pinned
from catalog.models import CHAT_MODALITIES, Change, ChangeKind, Model, Offer, OfferStatus, Provider

NEW_FOR = timedelta(days=7)
Bands = Sequence[tuple[float, str]]
SIZE_BANDS: Bands = ((10, "small"), (40, "medium"), (150, "large"), (float("inf"), "huge"))
ACTIVE_BANDS: Bands = ((4, "tiny"), (15, "light"), (40, "middling"), (float("inf"), "heavy"))
# 131 072 is what people call 128k.
CONTEXT_BANDS: Bands = (
    (32_000, "short"),
    (128_000, "usual"),
    (200_000, "long"),
    (1_000_000, "longer"),
    (float("inf"), "longest"),
)
UNKNOWN = "unknown"
NOTHING = "nothing"  # no demand of an account is known

# What the generation does not hear of (a row changed by hand) is seen by age. Reading ten thousand
# offers takes a quarter of a second, so somebody waits that long once in this time.
_KEEP_S = 120.0


class Traits(NamedTuple):
    """What filters ask of an offer; thousands of offers share some hundred of these."""

    provider: str
    tier: str
    training: str
    demands: tuple[str, ...]
    context: str
    is_retired: bool
    is_usable: bool
    is_new: bool


class OfferRow(NamedTuple):
    pk: int
    provider: str
    provider_name: str
    external_id: str
    context_tokens: int | None
    max_output_tokens: int | None
    limits: Mapping[str, int]
    pinned: Pinned  # those of the limits that admins set
    first_seen: dt.datetime
    missing_since: dt.datetime | None
    refused_since: dt.datetime | None
    chosen: Chosen
    traits: Traits
    kind: int  # offers of the same traits are of one kind, numbered from 0

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
    """A model with its offers. In the list by offer it stands for the one offer it holds."""

    pk: int
    slug: str
    name: str
    family: str
    params_b: float | None
    active_params_b: float | None
    modality: str
    specialties: tuple[str, ...]
    offers: tuple[OfferRow, ...]
    chosen: Chosen = NOTHING_CHOSEN

    @property
    def size(self) -> str:
        return band(self.params_b, SIZE_BANDS)

    @property
    def working_b(self) -> float | None:
        """What takes part in each token: of a mixture a part, of all others everything."""
        return self.active_params_b or self.params_b

    @property
    def active_size(self) -> str:
        return band(self.working_b, ACTIVE_BANDS)

    @property
    def context_tokens(self) -> int | None:
        """The longest context among the offers."""
        return _most(one.context_tokens for one in self.offers)

    @property
    def max_output_tokens(self) -> int | None:
        return _most(one.max_output_tokens for one in self.offers)

    @property
    def usable_count(self) -> int:
        return sum(one.traits.is_usable for one in self.offers)

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

    @property
    def first_seen(self) -> dt.datetime:
        """When the first of its offers came."""
        return min(one.first_seen for one in self.offers)


def band(value: float | None, bands: Bands) -> str:
    return UNKNOWN if value is None else next(name for limit, name in bands if value < limit)


def _most(figures: Iterable[int | None]) -> int | None:
    return max((one for one in figures if one), default=None)


class Shelf(Sequence[ModelRow]):
    """Every model by name, with its offers; what pages work out of it once is kept with it."""

    def __init__(
        self,
        models: Sequence[ModelRow],
        kinds: Sequence[Traits],
        providers: Mapping[str, Provider],
    ) -> None:
        self._models = models
        self.kinds = kinds
        self.providers = providers  # by slug, in the order of their names

    def __len__(self) -> int:
        return len(self._models)

    def __getitem__(self, place: Any) -> Any:
        return self._models[place]

    @cached_property
    def by_offer(self) -> Shelf:
        """The same with every offer on its own."""
        rows = [replace(row, offers=(one,)) for row in self._models for one in row.offers]
        return Shelf(rows, self.kinds, self.providers)

    @cached_property
    def families(self) -> Sequence[str]:
        return sorted({row.family for row in self._models} - {""})

    @cached_property
    def kept(self) -> dict[str, Any]:
        """For what `catalog.browse` and `catalog.search` prepare."""
        return {}


# By the catalog's generation and by who can be called; two, as one is replaced by the next.
_kept: TTLCache[tuple[int, frozenset[int]], Shelf] = TTLCache(2, _KEEP_S, time.monotonic)
_lock = Lock()


def catalog_rows(usable_providers: Collection[int], providers: Sequence[Provider]) -> Shelf:
    """Every model with its offers; read anew when the catalog changed or Redis is away."""
    number = generation.current()
    if number is None:
        return load_rows(usable_providers, providers)
    key = (number, frozenset(usable_providers))
    with _lock:
        rows = _kept.get(key)
    if rows is None:
        rows = load_rows(usable_providers, providers)
        with _lock:
            _kept[key] = rows
    return rows


def forget() -> None:
    """Read anew next time, whatever the generation says."""
    with _lock:
        _kept.clear()


def load_rows(usable_providers: Collection[int], known: Sequence[Provider] | None = None) -> Shelf:
    """Every model with its offers; `known` are all providers, where they are at hand."""
    every_provider = Provider.objects.for_usability() if known is None else known
    providers = {one.pk: one for one in every_provider}
    every = all_chosen()
    kinds: dict[Traits, int] = {}
    offers = _offers_by_model(providers, usable_providers, kinds, every)
    columns = ("slug", "name", "family", "params_b", "active_params_b", "modality", "specialties")
    rows = []
    for row in Model.objects.order_by().values("pk", *columns):
        if row["pk"] not in offers:
            continue
        chosen = every.of(Model, row["pk"])
        row |= {"name": chosen.name or row["name"], "specialties": tuple(row["specialties"])}
        offered = _in_trying_order(offers[row["pk"]])
        rows.append(ModelRow(**row, offers=offered, chosen=chosen))
    rows.sort(key=lambda row: row.name.casefold())
    return Shelf(rows, list(kinds), {one.slug: one for one in providers.values()})


def _offers_by_model(
    providers: Mapping[int, Provider],
    usable_providers: Collection[int],
    kinds: dict[Traits, int],
    every: AllChosen,
) -> dict[int, list[OfferRow]]:
    """Providers are read apart: a join would carry each of them thousands of times."""
    since = timezone.now() - NEW_FOR
    added = Change.objects.filter(kind=ChangeKind.ADDED, at__gte=since, offer__isnull=False)
    columns = (
        *("external_id", "context_tokens", "max_output_tokens", "limits"),
        *("first_seen", "missing_since", "refused_since"),
    )
    offers = (
        Offer.objects.shown()
        .annotate(is_new=ExpressionWrapper(Q(pk__in=added.values("offer")), BooleanField()))
        .order_by("external_id")
    )
    common = {pk: every.of(Provider, pk) for pk in providers}
    by_model: dict[int, list[OfferRow]] = defaultdict(list)
    for pk, model_id, provider_id, status, is_new, *values in offers.values_list(
        "pk", "model_id", "provider_id", "status", "is_new", *columns
    ):
        provider, chosen = providers[provider_id], every.of(Offer, pk)
        external_id, context_tokens, max_output_tokens, limits, *moments = values
        first_seen, missing_since, refused_since = moments
        is_offered = status == OfferStatus.ACTIVE and refused_since is None
        is_free = chosen.is_free is not False
        pinned = pinned_limits(limits, chosen, common[provider_id])
        traits = Traits(
            provider=provider.slug,
            tier=provider.tier,
            training=provider.training or UNKNOWN,
            demands=tuple(provider.demands) or (NOTHING,),
            context=band(context_tokens, CONTEXT_BANDS),
            is_retired=provider.is_retired or status == OfferStatus.RETIRED,
            is_usable=is_offered and is_free and provider_id in usable_providers,
            is_new=is_new,
        )
        row = OfferRow(
            pk=pk,
            provider=provider.slug,
            provider_name=provider.name,
            external_id=external_id,
            context_tokens=context_tokens,
            max_output_tokens=max_output_tokens,
            limits=with_pinned(limits or provider.limits, pinned),
            pinned=pinned,
            first_seen=first_seen,
            missing_since=missing_since,
            refused_since=refused_since,
            chosen=chosen,
            traits=traits,
            kind=kinds.setdefault(traits, len(kinds)),
        )
        by_model[model_id].append(row)
    return by_model


def _in_trying_order(offers: Sequence[OfferRow]) -> tuple[OfferRow, ...]:
    if len(offers) == 1:
        return (offers[0],)
    return tuple(sorted(offers, key=_rank))


def _rank(offer: OfferRow) -> tuple[bool, bool, bool, str]:
    pinned = offer.chosen.is_pinned
    return (not offer.is_usable, offer.is_retired, not pinned, offer.provider_name)

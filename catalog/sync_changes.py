"""What a new version of the bundled mapping says otherwise: limits and names, for the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from catalog.models import Change, ChangeKind, Model, Offer, Origin, Provider
from catalog.offers import limit_words

EVERY_ID, EVERY_MODEL = "*", "Every model"  # of a provider whose common limits changed
Limits = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Said:
    """What the mapping has said until now: limits by provider, name and limits by offer."""

    providers: Mapping[int, Limits]
    offers: Mapping[int, tuple[str, Limits]]

    @classmethod
    def now(cls) -> Said:
        providers = Provider.objects.filter(origin=Origin.MAPPING).order_by()
        offers = Offer.objects.filter(provider__origin=Origin.MAPPING).order_by()
        return cls(
            providers=dict(providers.values_list("pk", "limits")),
            offers={
                pk: (name, limits)
                for pk, name, limits in offers.values_list("pk", "model__name", "limits")
            },
        )

    def note_changes(self) -> None:
        """Keep in the history what is said otherwise by now; what is new is none of it."""
        Change.objects.bulk_create([*self._of_providers(), *self._of_offers()], batch_size=200)

    def _of_providers(self) -> Iterator[Change]:
        for provider in Provider.objects.filter(pk__in=self.providers):
            before = self.providers[provider.pk]
            if provider.limits != before:
                yield Change(
                    kind=ChangeKind.LIMITS,
                    provider=provider,
                    external_id=EVERY_ID,
                    model_name=EVERY_MODEL,
                    detail=_words(provider.limits, before),
                )

    def _of_offers(self) -> Iterator[Change]:
        offers = Offer.objects.filter(provider__in=self.providers)
        names = dict(Model.objects.order_by().values_list("pk", "name"))
        for offer in offers.select_related("provider"):
            if offer.pk not in self.offers:
                continue
            name, limits = self.offers[offer.pk]
            now = names[offer.model_id]
            if now != name:
                yield _change(offer, ChangeKind.RENAMED, now, f"was {name}")
            if offer.limits != limits:
                yield _change(offer, ChangeKind.LIMITS, now, _words(offer.limits, limits))


def _words(now: Limits, before: Limits) -> str:
    now_words, before_words = (limit_words(one) or "none published" for one in (now, before))
    return f"{now_words}, was {before_words}"


def _change(offer: Offer, kind: ChangeKind, name: str, detail: str) -> Change:
    return Change(
        kind=kind,
        provider=offer.provider,
        offer=offer,
        external_id=offer.external_id,
        model_name=name,
        detail=detail[:300],
    )

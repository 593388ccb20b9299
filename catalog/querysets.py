"""Reads of the catalog, named for the page or the use they serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.apps import apps
from django.db import models
from django.db.models import Count

from catalog.chosen import Chosen, Made, chosen_of

if TYPE_CHECKING:
    from catalog.models import (  # noqa: F401 - named in strings below
        Choice,
        Model,
        Offer,
        Provider,
        RefreshResult,
    )


class CatalogSize(NamedTuple):
    models: int
    offers: int


class ProviderQuerySet(models.QuerySet["Provider"]):
    def callable_now(self) -> ProviderQuerySet:
        """Providers a call may be sent to: enabled and not retired."""
        return self.filter(is_enabled=True, is_retired=False)

    def for_usability(self) -> ProviderQuerySet:
        """Every provider with only the columns that decide whether, and how much, it is called."""
        return self.only(
            *("slug", "origin", "auth", "base_url", "list_url", "env_var", "extra_env"),
            *("is_enabled", "is_retired", "name", "tier", "training", "demands"),
            *("quota_scope", "limits", "resets", "ratelimit_headers"),
        )


class RefreshResultQuerySet(models.QuerySet["RefreshResult"]):
    def latest_first(self) -> RefreshResultQuerySet:
        """As a provider's page tells them, with who decided about a list that was held."""
        return self.select_related("refresh", "held__decided_by").order_by("-refresh__created_at")


class ModelQuerySet(models.QuerySet["Model"]):
    pass


class ChoiceQuerySet(models.QuerySet["Choice"]):
    def in_force(self) -> ChoiceQuerySet:
        return self.filter(ended_at__isnull=True)

    def chosen(self) -> Chosen:
        """What these choices come to; meant for those of one offer, model or provider."""
        rows = self.in_force().values_list("aspect", "value", "author__username", "at")
        return chosen_of((aspect, value, Made(name or "", at)) for aspect, value, name, at in rows)

    def hidden(self, subject: str) -> ChoiceQuerySet:
        """Those that hide an "offer" or a "model", whichever `subject` is."""
        return self._in_force_of(subject, "hidden")

    def not_free(self) -> ChoiceQuerySet:
        """Those that say that an offer costs money."""
        return self._in_force_of("offer", "free").filter(value=False)

    def _in_force_of(self, subject: str, aspect: str) -> ChoiceQuerySet:
        """Without null among the ids: NOT IN would find nothing."""
        return self.in_force().filter(aspect=aspect, **{f"{subject}__isnull": False}).order_by()


def _choices() -> ChoiceQuerySet:
    """Asked for late: the model of choices is made after those of offers."""
    choices: ChoiceQuerySet = apps.get_model("catalog", "Choice").objects.all()
    return choices


class OfferQuerySet(models.QuerySet["Offer"]):
    def active(self) -> OfferQuerySet:
        """Offers that may be called: listed or in the mapping, shown, free, answering."""
        return (
            self.shown()
            .filter(
                status="active",
                refused_since__isnull=True,
                provider__is_enabled=True,
                provider__is_retired=False,
            )
            .exclude(pk__in=_choices().not_free().values("offer"))
        )

    def for_comparing(self) -> OfferQuerySet:
        """What a list is compared with and may change; without columns that are costly to read."""
        return self.select_related("model").only(
            *("external_id", "status", "is_listed", "last_seen", "missing_since", "retired_on"),
            *("context_tokens", "max_output_tokens", "provider_id"),
            *("model__name", "model__modality"),
        )

    def shown(self) -> OfferQuerySet:
        """Offers that everybody may see; admins see the hidden ones, too."""
        choices = _choices()
        return self.exclude(pk__in=choices.hidden("offer").values("offer")).exclude(
            model__in=choices.hidden("model").values("model")
        )

    def listed(self) -> OfferQuerySet:
        """What the catalog lists unasked: callable or not, but neither retired nor hidden."""
        return self.shown().exclude(status="retired").filter(provider__is_retired=False)

    def listed_size(self) -> CatalogSize:
        """How much the catalog lists; every page that says so counts here."""
        counts = self.listed().aggregate(
            models=Count("model", distinct=True), offers=Count("pk", distinct=True)
        )
        return CatalogSize(**counts)

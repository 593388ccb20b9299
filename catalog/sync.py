"""The bundled mapping and the simulator's scenario into the database, as often as one likes.

Facts are overwritten, choices are not: whether a provider is enabled, what was chosen against the
facts (`catalog.choices`) and everything about own endpoints belongs to the admin. What a
provider's own list has said about an offer outranks the mapping.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import models, transaction

from catalog import generation
from catalog.mapping import Mapping, ModelFacts, OfferFacts, ProviderFacts, bundled
from catalog.models import Model, Offer, OfferStatus, Origin, Provider, SiteChoice
from catalog.simulated import simulated
from catalog.sync_changes import Said

logger = logging.getLogger(__name__)

_SAME_NAME = (
    *("name", "tier", "website", "key_url", "docs_limits_url", "env_var", "extra_env"),
    *("base_url", "chat_dialect", "auth", "list_url", "list_auth_required", "list_dialect"),
    *("list_items_path", "id_field", "list_select", "requirements", "credits", "quota_scope"),
    *("pool_name", "limit_probe", "training", "demands"),
    *("limits", "ratelimit_headers", "retry_hint", "error_shape", "confidence", "notes"),
    *("key_steps", "retired_on", "quirks", "resets"),
)
_BATCH = 200  # rows per statement: SQLite bounds a statement's variables


@dataclass(slots=True)
class Tally:
    """How many rows of one table a sync wrote."""

    created: int = 0
    updated: int = 0


@dataclass(slots=True)
class SyncResult:
    providers: Tally = field(default_factory=Tally)
    models: Tally = field(default_factory=Tally)
    offers: Tally = field(default_factory=Tally)

    @property
    def has_changes(self) -> bool:
        tables = (self.providers, self.models, self.offers)
        return any(tally.created or tally.updated for tally in tables)


def sync_catalog() -> SyncResult:
    """Bring the catalog in line with what ships with this version, in one transaction.

    A second run writes nothing.
    """
    mapping, simulation = bundled(), simulated()
    result = SyncResult()
    with transaction.atomic():
        _wait_for_our_turn()
        said = Said.now()
        providers = _sync_providers(mapping, Origin.MAPPING, result.providers)
        providers |= _sync_providers(simulation, Origin.SIMULATOR, result.providers)
        # The mapping comes last: where both name a model, its facts hold.
        model_ids = _sync_models([*simulation.models, *mapping.models], result.models)
        _sync_offers(providers, [*simulation.models, *mapping.models], model_ids, result.offers)
        if result.has_changes:
            said.note_changes()
            transaction.on_commit(generation.bump)
    return result


def _wait_for_our_turn() -> None:
    """Processes that start together sync one after the other: the choices' row is the token."""
    choices = SiteChoice.current()
    SiteChoice.objects.select_for_update().get(pk=choices.pk)


def _sync_providers(mapping: Mapping, origin: Origin, tally: Tally) -> dict[str, Provider]:
    """Write providers; answer those of this origin by slug. Own endpoints keep their slugs."""
    existing = {provider.slug: provider for provider in Provider.objects.all()}
    created, changed, answer = [], [], {}
    for facts in mapping.providers:
        provider = existing.get(facts.slug)
        if provider is not None and provider.origin != origin:
            logger.warning("%s is kept as it is: another entry uses its slug.", facts.slug)
            continue
        if provider is None:
            provider = Provider(slug=facts.slug, origin=origin, is_enabled=facts.starts_enabled)
            created.append(provider)
            _assign(provider, _provider_values(facts, mapping.as_of))
        elif _assign(provider, _provider_values(facts, mapping.as_of)):
            changed.append(provider)
        answer[facts.slug] = provider
    changed += _retire_absent(existing.values(), origin, answer.keys())
    Provider.objects.bulk_create(created, batch_size=_BATCH)
    _update(Provider.objects, changed, ["is_retired", "facts_as_of", "free_filter", *_SAME_NAME])
    tally.created += len(created)
    tally.updated += len(changed)
    return answer


def _provider_values(facts: ProviderFacts, as_of: dt.date) -> dict[str, Any]:
    values = {name: getattr(facts, name) for name in _SAME_NAME}
    return values | {
        "free_filter": facts.free_rule,
        "facts_as_of": as_of,
        "is_retired": facts.retired or facts.retired_on is not None,
    }


def _retire_absent(
    providers: Iterable[Provider], origin: Origin, known: Iterable[str]
) -> list[Provider]:
    """Retire the entries of an earlier version that this one no longer brings."""
    present = set(known)
    gone = [one for one in providers if one.origin == origin and one.slug not in present]
    return [one for one in gone if _assign(one, {"is_retired": True})]


def _sync_models(all_facts: Sequence[ModelFacts], tally: Tally) -> dict[str, int]:
    """Write models; answer their ids by slug. Of two facts for one slug the later hold."""
    existing = {model.slug: model for model in Model.objects.all()}
    created, changed = {}, {}
    for slug, facts in {facts.slug: facts for facts in all_facts}.items():
        model = existing.get(slug)
        if model is None:
            created[slug] = Model(slug=slug)
            _assign(created[slug], _model_values(facts))
        elif _assign(model, _model_values(facts)):
            changed[slug] = model
    Model.objects.bulk_create(created.values(), batch_size=_BATCH)
    fields = ["name", "family", "params_b", "active_params_b", "modality", "specialties"]
    _update(Model.objects, list(changed.values()), fields)
    tally.created += len(created)
    tally.updated += len(changed)
    return {slug: model.pk for slug, model in (existing | created).items()}


def _model_values(facts: ModelFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "family": facts.family,
        "params_b": facts.params_b,
        "active_params_b": facts.active_params_b,
        "modality": facts.modality,
        "specialties": facts.specialties,
    }


def _sync_offers(
    providers: dict[str, Provider],
    all_facts: Sequence[ModelFacts],
    model_ids: dict[str, int],
    tally: Tally,
) -> None:
    by_pk = {provider.pk: provider for provider in providers.values()}
    offers = Offer.objects.filter(provider__in=by_pk)
    existing = {(offer.provider_id, offer.external_id.lower()): offer for offer in offers}
    created, changed = [], []
    for facts, offer_facts in ((one, offer) for one in all_facts for offer in one.offers):
        provider = providers.get(offer_facts.provider)
        if provider is None:
            continue
        offer = existing.pop((provider.pk, offer_facts.id.lower()), None)
        values = _offer_values(offer_facts, offer) | {"model_id": model_ids[facts.slug]}
        if offer is None:
            offer = Offer(provider=provider, external_id=offer_facts.id)
            created.append(offer)
            _assign(offer, values)
        elif _assign(offer, values):
            changed.append(offer)
    changed += [one for one in existing.values() if _retire_unheard_of(one)]
    Offer.objects.bulk_create(created, batch_size=_BATCH)
    fields = ["model", "name", "limits", "context_tokens", "max_output_tokens"]
    _update(Offer.objects, changed, [*fields, "status", "retired_on"])
    tally.created += len(created)
    tally.updated += len(changed)


def _offer_values(facts: OfferFacts, offer: Offer | None) -> dict[str, Any]:
    values: dict[str, Any] = {"name": facts.name, "limits": facts.limits}
    if offer is not None and offer.last_seen is not None:
        return values  # the provider's own list has spoken about the rest
    return values | {
        "context_tokens": facts.context_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "status": OfferStatus.RETIRED if facts.retired else _kept_status(offer),
        "retired_on": facts.retired_on,
    }


def _kept_status(offer: Offer | None) -> str:
    """An offer that its provider's list lacks stays missing or gone, whatever the mapping says."""
    if offer is None or offer.missing_since is None:
        return OfferStatus.ACTIVE
    return offer.status


def _retire_unheard_of(offer: Offer) -> bool:
    """Retire what neither this version's mapping nor the provider's list has ever named."""
    return offer.last_seen is None and _assign(offer, {"status": OfferStatus.RETIRED})


def _assign(row: models.Model, values: dict[str, Any]) -> bool:
    """Set the values that differ; answer whether any did."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in differing.items():
        setattr(row, name, value)
    return bool(differing)


def _update(table: models.Manager[Any], rows: Sequence[Any], fields: Sequence[str]) -> None:
    if rows:
        table.bulk_update(rows, fields, batch_size=_BATCH)

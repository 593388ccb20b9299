"""The simulator's scenario in the words of the mapping."""

from __future__ import annotations

import datetime as dt

from catalog.mapping import Mapping, ModelFacts, OfferFacts, ProviderFacts
from gateway.simulator.scenario import SimModel, SimProvider, default_scenario
from gateway.types import Limit

_SCENARIO_OF = dt.date(2026, 11, 22)


def simulated() -> Mapping:
    """The default scenario as providers, models and offers."""
    providers = default_scenario().providers
    models = [_model(provider, model) for provider in providers for model in provider.models]
    return Mapping(_SCENARIO_OF, tuple(_provider(one) for one in providers), tuple(models), {})


def _provider(provider: SimProvider) -> ProviderFacts:
    base_url = f"{{SIMULATOR_URL}}/{provider.slug}/v1"
    return ProviderFacts(
        slug=provider.slug,
        name=provider.name,
        tier="free",
        base_url=base_url,
        chat_dialect=provider.dialect,
        auth=provider.auth,
        list_url=f"{base_url}/models",
        list_auth_required=provider.auth != "none",
        list_dialect=provider.list_dialect,
        list_items_path=provider.list_items_path,
        id_field=provider.id_field,
        training="never",
        quota_scope=provider.quota_scope,
        limits=_limits(provider.limits),
        free_rule="Every listed model.",
        confidence="Simulated on this machine.",
        notes=provider.description,
    )


def _model(provider: SimProvider, model: SimModel) -> ModelFacts:
    offer = OfferFacts(
        provider=provider.slug,
        id=model.id,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        limits=_limits(model.limits),
    )
    return ModelFacts(
        name=model.name,
        family=model.family,
        modality=model.modality,
        params_b=model.params_b,
        active_params_b=model.active_params_b,
        specialties=list(model.specialties),
        offers=(offer,),
    )


def _limits(limits: tuple[Limit, ...]) -> dict[str, int]:
    return {limit.name: limit.amount for limit in limits}

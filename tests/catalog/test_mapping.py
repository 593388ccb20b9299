"""The bundled mapping: complete, typed, without contradictions."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import pytest

from catalog.mapping import (
    DATA,
    DEMANDS,
    MODALITIES,
    TRAINING,
    MappingError,
    ProviderFacts,
    build,
    bundled,
)
from catalog.models import Demand, Training

AS_OF = dt.date(2026, 11, 22)
PROVIDER = {"slug": "wren", "name": "Wren", "tier": "free"}
OFFER = {"provider": "wren", "id": "wren-8b"}
MODEL = {"name": "Wren 8B", "family": "wren", "modality": "chat", "offers": [OFFER]}


def test_it_holds_every_provider_and_entry() -> None:
    """Forty providers; 492 ids, each once per provider whatever its case."""
    mapping = bundled()
    offers = [offer for model in mapping.models for offer in model.offers]

    assert len(mapping.providers) == 40
    assert len(offers) == 492
    assert len({(offer.provider, offer.id.lower()) for offer in offers}) == 492


def test_closed_sets_are_used_in_full() -> None:
    """Every modality has a model, so none is a slip of the pen."""
    assert {model.modality for model in bundled().models} <= MODALITIES
    assert {model.modality for model in bundled().models} >= {"chat", "vision", "stt", "guard"}


@pytest.mark.parametrize("facts", bundled().providers, ids=lambda facts: str(facts.slug))
def test_addresses_are_well_formed(facts: ProviderFacts) -> None:
    """Secure for everything but the own machine; a placeholder is one that a key fills."""
    pages = [facts.website, facts.key_url, facts.docs_limits_url]
    for url in filter(None, [*pages, facts.base_url, facts.list_url]):
        parts = urlsplit(url.replace("{CLOUDFLARE_ACCOUNT_ID}", "x"))
        assert parts.scheme == ("http" if parts.hostname == "localhost" else "https")
        assert "." in (parts.hostname or "") or parts.hostname == "localhost"
    for placeholder in [facts.base_url, facts.list_url]:
        assert "{" not in placeholder or f"{{{facts.extra_env}}}" in placeholder


@pytest.mark.parametrize("facts", bundled().providers, ids=lambda facts: str(facts.slug))
def test_a_provider_one_may_use_says_how(facts: ProviderFacts) -> None:
    """Steps to a key, and the name of the variable that carries it."""
    is_closed = facts.retired or facts.retired_on is not None or not facts.starts_enabled
    assert facts.key_steps or is_closed
    assert facts.env_var or facts.auth == "none"
    assert facts.free_rule


def test_terms_that_people_choose_by_are_typed() -> None:
    """Whatever the sentence for people says of phones and training is also a value to filter by."""
    assert TRAINING - {""} == set(Training.values)
    assert set(Demand.values) == DEMANDS
    for facts in bundled().providers:
        said = facts.requirements.lower()
        assert ("phone" in said) == ("phone" in facts.demands), facts.slug
        told_training = "training" in said or "improve" in said
        assert told_training == (facts.training not in {"", "never"}), facts.slug


@pytest.mark.parametrize("wrong", [{"training": "sometimes"}, {"demands": ["blood"]}])
def test_unknown_terms_are_refused(wrong: dict[str, Any]) -> None:
    """A slip of the pen never becomes a filter nobody finds."""
    with pytest.raises(MappingError, match=f"wren: wrong {next(iter(wrong))}"):
        build(AS_OF, [{**PROVIDER, **wrong}], [])


def test_nothing_is_called_before_an_admin_says_so() -> None:
    """Whoever needs no key starts switched off, own machines and third parties alike."""
    keyless = [one for one in bundled().providers if one.auth == "none" or one.tier == "local"]

    assert keyless
    assert not any(one.starts_enabled for one in keyless)


def test_closed_services_carry_their_date() -> None:
    """GitHub Models, kluster and Lambda answer no more."""
    retired = {one.slug: one.retired_on for one in bundled().providers if one.retired_on}

    assert retired == {
        "github-models": dt.date(2026, 7, 30),
        "kluster": dt.date(2025, 7, 25),
        "lambda": dt.date(2025, 9, 25),
    }
    of_retired = [o for m in bundled().models for o in m.offers if o.provider in retired]
    assert all(offer.retired and offer.retired_on for offer in of_retired)


def test_one_model_has_its_offers_at_many_providers() -> None:
    """The same weights under a dozen ids are one entry."""
    llama = bundled().by_slug["llama-3-3-70b"]

    assert llama.name == "Llama 3.3 70B Instruct"
    assert {"groq", "openrouter", "cloudflare"} <= {offer.provider for offer in llama.offers}


def test_sizes_are_believable() -> None:
    """Active parameters are a part of the total; nothing is zero."""
    for model in bundled().models:
        if model.params_b is not None:
            assert 0 < (model.active_params_b or model.params_b) <= model.params_b <= 2000


def test_every_limit_is_a_whole_number_above_zero() -> None:
    """The mapping knows no limit of zero."""
    tables = [one.limits for one in bundled().providers]
    tables += [offer.limits for model in bundled().models for offer in model.offers]

    assert all(type(n) is int and n > 0 for limits in tables for n in limits.values())


def test_headers_say_what_they_mean_in_known_formats() -> None:
    """The limiter reads these."""
    formats = Counter(
        header["format"] for one in bundled().providers for header in one.ratelimit_headers
    )
    known = {"integer", "decimal", "text", "seconds", "duration", "epoch-ms", "epoch-s"}

    assert set(formats) <= known


@pytest.mark.parametrize("name", ["providers.toml", "models.toml"])
def test_each_file_says_where_its_facts_are_from(name: str) -> None:
    """And of which day they are."""
    head = (DATA / name).read_text(encoding="utf-8")[:900]

    assert head.startswith("# ")
    assert "survey of 22 November 2026" in head
    assert "as_of = 2026-11-22" in head


@pytest.mark.parametrize(
    ("provider", "model", "told"),
    [
        ({"tier": "cheap"}, {}, "wren: wrong tier"),
        ({"limits": {"per_blink": 3}}, {}, "wren: wrong limits"),
        ({"colour": "red"}, {}, "field 'colour'"),
        ({"key_steps": "one"}, {}, "wrong key_steps"),
        ({"list_select": {"keep_all": []}}, {}, "wrong list_select"),
        ({}, {"modality": "smell"}, "wrong modality"),
        ({}, {"specialties": ["juggling"]}, "wrong specialties"),
        ({}, {"params_b": "8"}, "wrong params_b"),
        ({}, {"family": None}, "wrong family"),
        ({}, {"offers": [OFFER, {**OFFER, "id": "WREN-8B"}]}, "given twice"),
        ({}, {"offers": [{**OFFER, "provider": "nobody"}]}, "provider 'nobody'"),
        ({}, {"offers": [{**OFFER, "context_tokens": 8.5}]}, "wrong context_tokens"),
        ({}, {"offers": [{"provider": "wren"}]}, "id"),
    ],
)
def test_a_mistake_is_named(provider: dict[str, Any], model: dict[str, Any], told: str) -> None:
    """Entry and field, so that it is found at once."""
    with pytest.raises(MappingError, match=told):
        build(AS_OF, [{**PROVIDER, **provider}], [{**MODEL, **model}])


def test_two_models_may_not_share_a_name() -> None:
    """An alias that another model bears would send offers to the wrong one."""
    other = {**MODEL, "name": "Heron 70B", "also": ["wren-8b"], "offers": []}
    with pytest.raises(MappingError, match="also of Wren 8B"):
        build(AS_OF, [PROVIDER], [MODEL, other])


def test_days_end_in_zones_that_exist() -> None:
    """Gemini's day ends in California, and each zone named is one that can be looked up."""
    resets = {one.slug: one.resets for one in bundled().providers if one.resets}
    assert resets["google-ai-studio"] == {"day": "America/Los_Angeles"}
    assert {zone for one in resets.values() for zone in one.values()} <= available_timezones()

"""The bundled mapping, read and checked: `data/providers.toml` and `data/models.toml`."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from catalog import limit_endpoints
from catalog.naming import model_slug
from catalog.sources.select import RULES
from gateway.quirks import read_quirks
from gateway.types import LIMIT_NAMES

DATA = Path(__file__).parent / "data"

TIERS = frozenset({"free", "trial", "local"})
QUOTA_SCOPES = frozenset({"per-model", "shared", "account"})
TRAINING = frozenset({"", "never", "outside-europe", "used"})
DEMANDS = frozenset({"phone", "identity", "region"})
MODALITIES = frozenset({"chat", "vision", "embedding", "stt", "tts", "guard", "image"})
SPECIALTIES = frozenset(
    {
        "code",
        "reasoning",
        "math",
        "translation",
        "vision",
        "multilingual",
        "long-context",
        "tool-use",
    }
)


class MappingError(Exception):
    """The bundled mapping breaks its own rules; the message names the entry and the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """One `[[provider]]`; the fields are explained in docs/providers.md."""

    slug: str
    name: str
    tier: str
    website: str = ""
    key_url: str = ""
    docs_limits_url: str = ""
    env_var: str = ""
    extra_env: str = ""
    base_url: str = ""
    chat_dialect: str = "openai"
    auth: str = "bearer"
    list_url: str = ""
    list_auth_required: bool = False
    list_dialect: str = "none"
    list_items_path: str = ""
    id_field: str = "id"
    list_select: dict[str, list[str]] = field(default_factory=dict)
    requirements: str = ""
    training: str = ""
    demands: list[str] = field(default_factory=list)
    credits: str = ""
    quota_scope: str = "account"
    pool_name: str = ""
    limit_probe: str = ""
    limits: dict[str, int] = field(default_factory=dict)
    resets: dict[str, str] = field(default_factory=dict)
    ratelimit_headers: list[dict[str, str]] = field(default_factory=list)
    quirks: list[dict[str, Any]] = field(default_factory=list)
    retry_hint: str = ""
    error_shape: str = ""
    free_rule: str = ""
    confidence: str = ""
    notes: str = ""
    key_steps: list[str] = field(default_factory=list)
    retired: bool = False  # where the day is not known
    retired_on: dt.date | None = None
    starts_enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFacts:
    """A model as one provider serves it."""

    provider: str
    id: str
    name: str = ""  # only where the provider calls the model something else
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    limits: dict[str, int] = field(default_factory=dict)
    retired: bool = False
    retired_on: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One set of weights under its best-known name."""

    name: str
    family: str
    modality: str
    params_b: float | None = None
    active_params_b: float | None = None
    specialties: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    offers: tuple[OfferFacts, ...]

    @property
    def slug(self) -> str:
        return model_slug(self.name)


_Facts = TypeVar("_Facts", ProviderFacts, ModelFacts, OfferFacts)


@dataclass(frozen=True, slots=True)
class Mapping:
    """All of it. `by_slug` finds a model by the slug of any of its names."""

    as_of: dt.date
    providers: tuple[ProviderFacts, ...]
    models: tuple[ModelFacts, ...]
    by_slug: Table[str, ModelFacts]


@lru_cache(maxsize=1)
def bundled() -> Mapping:
    """The mapping that ships with this version; raises MappingError."""
    providers = tomllib.loads((DATA / "providers.toml").read_text(encoding="utf-8"))
    models = tomllib.loads((DATA / "models.toml").read_text(encoding="utf-8"))
    return build(providers["as_of"], providers["provider"], models["model"])


def build(as_of: dt.date, providers: list[Any], models: list[Any]) -> Mapping:
    """Check and type parsed tables; raises MappingError."""
    provider_facts = tuple(_provider(table) for table in providers)
    model_facts = tuple(_model(table) for table in models)
    _check_offers(provider_facts, model_facts)
    return Mapping(as_of, provider_facts, model_facts, _by_slug(model_facts))


def _provider(table: dict[str, Any]) -> ProviderFacts:
    facts = _typed(ProviderFacts, table)
    where = facts.slug
    _require(facts.tier in TIERS, where, "tier")
    _require(facts.quota_scope in QUOTA_SCOPES, where, "quota_scope")
    _require(facts.training in TRAINING, where, "training")
    _require(DEMANDS.issuperset(facts.demands), where, "demands")
    _require(facts.limit_probe in limit_endpoints.KINDS, where, "limit_probe")
    _require(facts.limits.keys() <= LIMIT_NAMES.keys(), where, "limits")
    _require(facts.resets.keys() <= {"day", "month"}, where, "resets")
    _require(facts.list_select.keys() <= RULES, where, "list_select")
    try:
        read_quirks(facts.quirks, "")
    except ValueError as error:
        raise MappingError(f"Bundled mapping, {where}: {error}.") from error
    return facts


def _model(table: dict[str, Any]) -> ModelFacts:
    offers = tuple(_typed(OfferFacts, offer) for offer in table.get("offers", ()))
    facts = _typed(ModelFacts, {**table, "offers": offers})
    _require(facts.modality in MODALITIES, facts.name, "modality")
    _require(SPECIALTIES.issuperset(facts.specialties), facts.name, "specialties")
    for offer in facts.offers:
        _require(offer.limits.keys() <= LIMIT_NAMES.keys(), offer.id, "limits")
    return facts


def _check_offers(providers: tuple[ProviderFacts, ...], models: tuple[ModelFacts, ...]) -> None:
    slugs = {facts.slug for facts in providers}
    _require(len(slugs) == len(providers), "providers", "slug, which must be unique")
    seen: set[tuple[str, str]] = set()
    for offer in (offer for model in models for offer in model.offers):
        _require(offer.provider in slugs, offer.id, f"provider {offer.provider!r}")
        key = (offer.provider, offer.id.lower())
        _require(key not in seen, offer.id, "id, given twice for one provider")
        seen.add(key)


def _by_slug(models: tuple[ModelFacts, ...]) -> dict[str, ModelFacts]:
    found: dict[str, ModelFacts] = {}
    for model in models:
        for name in (model.name, *model.also):
            earlier = found.setdefault(model_slug(name), model)
            _require(earlier is model, model.name, f"name {name!r}, also of {earlier.name}")
    return found


def _require(is_right: bool, where: str, what: str) -> None:
    if not is_right:
        raise MappingError(f"Bundled mapping, {where}: wrong {what}.")


def _typed(cls: type[_Facts], table: dict[str, Any]) -> _Facts:
    """Build `cls` from a TOML table, refusing unknown fields and wrong types."""
    where = str(table.get("slug") or table.get("id") or table.get("name") or table)
    hints = get_type_hints(cls)
    known = {item.name for item in fields(cls)}
    for name, value in table.items():
        _require(name in known, where, f"field {name!r}, which is not known")
        _require(_is_a(value, hints[name]), where, name)
    try:
        return cls(**table)
    except TypeError as error:
        raise MappingError(f"Bundled mapping, {where}: {error}.") from error


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a TOML value has the type of a field; numbers may be written without a point."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for option in options:
        plain = getattr(option, "__origin__", option)
        if plain is float and type(value) in (int, float):
            return True
        if type(value) is plain:
            return True
    return False

"""From TOML tables to a Scenario; the only place that knows the file's field names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from gateway.simulator.reading import ScenarioError, Table
from gateway.simulator.scenario import Fault, FaultKind, Scenario, SimModel, SimProvider
from gateway.types import LIMIT_NAMES, Limit, Unit

STYLES_OF = {
    "openai": ("openai", "groq", "cerebras", "mistral", "openrouter", "sambanova"),
    "cohere": ("cohere",),
    "gemini": ("gemini",),
    "nlpcloud": ("nlpcloud",),
}
MODALITIES = ("chat", "vision")
SPECIALTIES = (
    "code",
    "reasoning",
    "math",
    "translation",
    "vision",
    "multilingual",
    "long-context",
    "tool-use",
)
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_YEAR_S = 366 * 86_400.0
_MOST_TOKENS_PER_S = 1e9


def read_scenario(values: dict[str, object]) -> Scenario:
    table = Table(values)
    providers = tuple(_read_provider(one) for one in table.tables("providers"))
    scenario = Scenario(
        providers=providers,
        seed=table.integer("seed", 1, least=0, most=2**63),
        name=table.text("name", "unnamed"),
    )
    table.done()
    if not providers:
        raise ScenarioError("providers is missing: a scenario needs at least one")
    _refuse_twins("providers", "slug", (one.slug for one in providers))
    return scenario


def _read_provider(table: Table) -> SimProvider:
    dialect = table.choice("dialect", tuple(STYLES_OF), "openai")
    provider = SimProvider(
        slug=_read_slug(table),
        name=table.text("name"),
        models=tuple(_read_model(one) for one in table.tables("models")),
        dialect=dialect,
        style=table.choice("style", STYLES_OF[dialect], dialect),
        keys=table.texts("keys"),
        limits=_read_limits(table.table("limits")),
        limits_change_s=table.number("limits_change_s", 0.0, least=0, most=31 * 86_400),
        limits_change_factor=table.number("limits_change_factor", 0.5, least=0, most=100),
        quota_scope=table.choice("quota_scope", ("per-model", "shared", "account"), "per-model"),
        windows=table.choice("windows", ("sliding", "fixed"), "sliding"),
        max_concurrent=table.integer("max_concurrent", 0, least=0, most=1_000_000),
        list_s=table.number("list_s", 0.0, least=0.0, most=600.0),
        first_token_s=table.number("first_token_s", 0.3, least=0, most=3_600),
        tokens_per_s=table.number("tokens_per_s", 80.0, least=0.01, most=_MOST_TOKENS_PER_S),
        jitter=table.number("jitter", 0.15, least=0, most=1),
        tokens_per_chunk=table.integer("tokens_per_chunk", 2, least=1, most=10_000),
        comments=table.flag("comments", default=False),
        crlf=table.flag("crlf", default=False),
        description=table.text("description", ""),
        faults=tuple(read_fault(one) for one in table.tables("faults")),
    )
    table.done()
    _check_provider(provider, table)
    return provider


def _check_provider(provider: SimProvider, table: Table) -> None:
    if not provider.models:
        raise ScenarioError(f"{table.field('models')} is missing: a provider needs at least one")
    _refuse_twins(table.field("models"), "id", (one.id for one in provider.models))
    for at, fault in enumerate(provider.faults):
        if fault.model and provider.model(fault.model) is None:
            raise ScenarioError(
                f"{table.field('faults')}[{at}].model names no model here: {fault.model!r}"
            )


def _read_slug(table: Table) -> str:
    slug = table.text("slug")
    if not _SLUG.fullmatch(slug):
        raise table.complain("slug", "small letters, digits and single hyphens", slug)
    return slug


def _read_model(table: Table) -> SimModel:
    model_id = table.text("id")
    specialties = table.texts("specialties")
    for one in specialties:
        if one not in SPECIALTIES:
            raise table.complain("specialties", f"out of {', '.join(SPECIALTIES)}", one)
    model = SimModel(
        id=model_id,
        name=table.text("name", model_id),
        family=table.text("family", ""),
        params_b=table.optional_number("params_b", least=0.001, most=100_000),
        active_params_b=table.optional_number("active_params_b", least=0.001, most=100_000),
        context_tokens=table.integer("context_tokens", 131_072, least=1, most=100_000_000),
        max_output_tokens=table.integer("max_output_tokens", 8_192, least=1, most=10_000_000),
        modality=table.choice("modality", MODALITIES, "chat"),
        specialties=specialties,
        limits=_read_limits(table.table("limits")),
        first_token_s=table.optional_number("first_token_s", least=0, most=3_600),
        tokens_per_s=table.optional_number("tokens_per_s", least=0.01, most=_MOST_TOKENS_PER_S),
    )
    table.done()
    if model.active_params_b and model.active_params_b > (model.params_b or 0):
        raise table.complain("active_params_b", "at most params_b", model.active_params_b)
    return model


def _read_limits(table: Table) -> tuple[Limit, ...]:
    limits = []
    for name in sorted(table.names()):
        dimension = LIMIT_NAMES.get(name)
        if dimension is None or dimension[0] is Unit.NEURONS:
            known = [one for one, what in LIMIT_NAMES.items() if what[0] is not Unit.NEURONS]
            raise ScenarioError(f"{table.field(name)} is no limit; known: {', '.join(known)}")
        limits.append(Limit(*dimension, table.integer(name, None, least=0, most=10**12)))
    return tuple(limits)


def read_fault(table: Table) -> Fault:
    """Read one fault, from a scenario's table or from a control request's JSON object."""
    kind = FaultKind(table.choice("kind", tuple(FaultKind)))
    fault = Fault(
        kind=kind,
        rate=table.number("rate", 1.0, least=0, most=1),
        every_n=table.integer("every_n", 1, least=1, most=10**9),
        skip_n=table.integer("skip_n", 0, least=0, most=10**9),
        max_n=table.integer("max_n", 0, least=0, most=10**9),
        from_s=table.number("from_s", 0.0, least=0, most=_YEAR_S),
        until_s=table.optional_number("until_s", least=0, most=_YEAR_S),
        period_s=table.number("period_s", 0.0, least=0, most=_YEAR_S),
        model=table.text("model", ""),
        on=table.choice("on", ("chat", "models", "all"), "chat"),
        # a page of HTML may call itself a success; every other fault here is an error
        status=table.integer("status", 503, least=200 if kind is FaultKind.HTML else 400, most=599),
        message=table.text("message", ""),
        retry_after_s=table.optional_number("retry_after_s", least=0, most=_YEAR_S),
        hold_s=table.number("hold_s", 600.0, least=0, most=_YEAR_S),
        at=table.number("at", 0.5, least=0, most=1),
        first_token_s=table.optional_number("first_token_s", least=0, most=3_600),
        tokens_per_s=table.optional_number("tokens_per_s", least=0.01, most=_MOST_TOKENS_PER_S),
    )
    table.done()
    if fault.on == "models" and not kind.replaces_answer:
        raise table.complain("kind", "one that replaces an answer where on = 'models'", kind.value)
    if fault.until_s is not None and fault.until_s <= fault.from_s:
        raise table.complain("until_s", "later than from_s", fault.until_s)
    return fault


def _refuse_twins(path: str, field: str, values: Iterable[str]) -> None:
    for value, times in Counter(values).items():
        if times > 1:
            raise ScenarioError(f"{path}: {field} {value!r} appears {times} times")

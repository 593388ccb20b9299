"""OpenRouter (and gateways that copy its list): free are ids with ":free" and zero prices."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import (
    Entry,
    ListedModel,
    is_free_of_charge,
    stated_modality,
    table,
    text,
    tokens,
    words,
)

_FREE_ROUTERS = {"openrouter/free"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [_listed(entry, id_field) for entry in entries if _is_free(entry, id_field)]


def _is_free(entry: Entry, id_field: str) -> bool:
    external_id, pricing = text(entry, id_field), table(entry, "pricing")
    is_named_free = external_id.endswith(":free") or external_id in _FREE_ROUTERS
    return (
        is_named_free
        and is_free_of_charge(pricing.get("prompt"))
        and is_free_of_charge(pricing.get("completion"))
        and "text" in words(table(entry, "architecture"), "output_modalities")
    )


def _listed(entry: Entry, id_field: str) -> ListedModel:
    architecture, best = table(entry, "architecture"), table(entry, "top_provider")
    return ListedModel(
        external_id=text(entry, id_field),
        name=_plain_name(text(entry, "name")),
        context_tokens=tokens(best, "context_length") or tokens(entry, "context_length"),
        max_output_tokens=tokens(best, "max_completion_tokens"),
        modality=stated_modality(architecture),
        specialties=("tool-use",) if "tools" in words(entry, "supported_parameters") else (),
    )


def _plain_name(name: str) -> str:
    """Cut the maker and the mark: from "Maker: Model (free)" stays "Model"."""
    _, colon, rest = name.partition(": ")
    return (rest if colon else name).removesuffix(" (free)").strip()

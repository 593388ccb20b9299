"""LLM7: chat models of the "turbo" tier that are not billed by use."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, stated_modality, table, text, tokens


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [_listed(entry, id_field) for entry in entries if _is_free(entry)]


def _is_free(entry: Entry) -> bool:
    return (
        entry.get("model_type") == "chat"
        and entry.get("tier") == "turbo"
        and entry.get("usage_based_only") is False
    )


def _listed(entry: Entry, id_field: str) -> ListedModel:
    said = {"reasoning": entry.get("reasoning"), "tool-use": entry.get("tools_calling")}
    return ListedModel(
        external_id=text(entry, id_field),
        context_tokens=tokens(table(entry, "context_window"), "tokens"),
        modality=stated_modality(table(entry, "modalities"), "input", "output"),
        specialties=tuple(name for name, is_so in said.items() if is_so is True),
    )

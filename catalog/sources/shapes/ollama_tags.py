"""Ollama's tags: what is pulled, on one's own machine or in its cloud; BERTs only embed."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, table, text, words


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            modality="embedding" if _only_embeds(entry) else "",
        )
        for entry in entries
    ]


def _only_embeds(entry: Entry) -> bool:
    details = table(entry, "details")
    return any("bert" in one for one in (text(details, "family"), *words(details, "families")))

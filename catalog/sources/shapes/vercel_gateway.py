"""Vercel's gateway: language models, all on the monthly credit."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, specialties, text, tokens, words

_TAGS = {"reasoning": "reasoning", "tool-use": "tool-use", "vision": "vision"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            name=text(entry, "name"),
            context_tokens=tokens(entry, "context_window"),
            max_output_tokens=tokens(entry, "max_tokens"),
            modality="vision" if "vision" in words(entry, "tags") else "chat",
            specialties=specialties(words(entry, "tags"), _TAGS),
        )
        for entry in entries
        if entry.get("type") == "language"
    ]

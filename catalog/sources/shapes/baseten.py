"""Baseten: what answers in text."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import (
    Entry,
    ListedModel,
    specialties,
    stated_modality,
    text,
    tokens,
    words,
)

_FEATURES = {"tools": "tool-use", "reasoning": "reasoning"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            name=text(entry, "name"),
            context_tokens=tokens(entry, "context_length"),
            max_output_tokens=tokens(entry, "max_completion_tokens", "max_output_length"),
            modality=stated_modality(entry),
            specialties=specialties(words(entry, "supported_features"), _FEATURES),
        )
        for entry in entries
        if "text" in words(entry, "output_modalities")
    ]

"""Novita: chat models in service (`status` 1)."""

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

_IN_SERVICE = 1
_FEATURES = {"function-calling": "tool-use", "reasoning": "reasoning"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            name=text(entry, "display_name"),
            context_tokens=tokens(entry, "context_size"),
            max_output_tokens=tokens(entry, "max_output_tokens"),
            modality=stated_modality(entry),
            specialties=specialties(words(entry, "features"), _FEATURES),
        )
        for entry in entries
        if entry.get("status") == _IN_SERVICE and entry.get("model_type") == "chat"
    ]

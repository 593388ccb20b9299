"""Baseten: what answers in text."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, modality_from, text, tokens, words

_FEATURES = {"tools": "tool-use", "reasoning": "reasoning"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            name=text(entry, "name"),
            context_tokens=tokens(entry, "context_length"),
            max_output_tokens=tokens(entry, "max_completion_tokens"),
            modality=modality_from(
                words(entry, "input_modalities"), words(entry, "output_modalities")
            ),
            specialties=tuple(
                _FEATURES[one] for one in words(entry, "supported_features") if one in _FEATURES
            ),
        )
        for entry in entries
        if "text" in words(entry, "output_modalities")
    ]

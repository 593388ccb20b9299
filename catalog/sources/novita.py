"""Novita: chat models in service (`status` 1)."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, modality_from, text, tokens, words

_IN_SERVICE = 1


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            name=text(entry, "display_name"),
            context_tokens=tokens(entry, "context_size"),
            max_output_tokens=tokens(entry, "max_output_tokens"),
            modality=modality_from(
                words(entry, "input_modalities"), words(entry, "output_modalities")
            ),
            specialties=("tool-use",) if "function-calling" in words(entry, "features") else (),
        )
        for entry in entries
        if entry.get("status") == _IN_SERVICE and entry.get("model_type") == "chat"
    ]

"""Hyperbolic (and Fireworks, whose entries are the same): what `supports_chat`."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, text, tokens


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            context_tokens=tokens(entry, "context_length"),
            modality="vision" if entry.get("supports_image_input") is True else "chat",
            specialties=("tool-use",) if entry.get("supports_tools") is True else (),
        )
        for entry in entries
        if entry.get("supports_chat") is True
    ]

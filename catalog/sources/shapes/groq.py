"""Groq: switched-off models stay in the list with `active` false."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, text, tokens


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            context_tokens=tokens(entry, "context_window"),
            max_output_tokens=tokens(entry, "max_completion_tokens"),
        )
        for entry in entries
        if entry.get("active") is not False
    ]

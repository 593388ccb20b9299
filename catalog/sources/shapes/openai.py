"""The plain OpenAI shape: `data` with an `id` each, and what many servers add to it."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, text, tokens


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [
        ListedModel(
            external_id=text(entry, id_field),
            context_tokens=tokens(
                *(entry, "context_length", "context_window", "max_model_len"),
                *("max_context_length", "context_size"),
            ),
            max_output_tokens=tokens(entry, "max_completion_tokens", "max_output_tokens"),
        )
        for entry in entries
    ]

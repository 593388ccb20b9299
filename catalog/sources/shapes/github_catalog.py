"""GitHub Models: what answers in text; the limits name input and output tokens."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import (
    Entry,
    ListedModel,
    specialties,
    stated_modality,
    table,
    text,
    tokens,
    words,
)

_FEATURES = {"tool-calling": "tool-use", "reasoning": "reasoning", "multilingual": "multilingual"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [_listed(entry, id_field) for entry in entries]


def _listed(entry: Entry, id_field: str) -> ListedModel:
    limits = table(entry, "limits")
    answers_in_text = "text" in words(entry, "supported_output_modalities")
    said = [*words(entry, "capabilities"), *words(entry, "tags")]
    return ListedModel(
        external_id=text(entry, id_field),
        name=text(entry, "name"),
        context_tokens=tokens(limits, "max_input_tokens"),
        max_output_tokens=tokens(limits, "max_output_tokens"),
        modality=stated_modality(
            entry, "supported_input_modalities", "supported_output_modalities"
        ),
        specialties=specialties(said, _FEATURES),
        is_wanted=answers_in_text and entry.get("rate_limit_tier") != "embeddings",
    )

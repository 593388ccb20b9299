"""Gemini: what can generate content; ids stand behind "models/", pages go by token.

Which of them are free the list does not say; that is the provider's `list_select`.
"""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, text, tokens, words
from catalog.sources.pages import by_token

_PREFIX = "models/"


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [_listed(entry, id_field) for entry in entries]


def next_page(url: str, answer: Entry) -> str:
    return by_token(url, answer.get("nextPageToken"), "pageToken")


def _listed(entry: Entry, id_field: str) -> ListedModel:
    methods = words(entry, "supportedGenerationMethods")
    return ListedModel(
        external_id=text(entry, id_field).removeprefix(_PREFIX),
        name=text(entry, "displayName"),
        context_tokens=tokens(entry, "inputTokenLimit"),
        max_output_tokens=tokens(entry, "outputTokenLimit"),
        modality="embedding" if "embedContent" in methods else "",
        specialties=("reasoning",) if entry.get("thinking") is True else (),
        is_wanted="generateContent" in methods,
    )

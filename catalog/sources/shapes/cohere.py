"""Cohere: what has a chat endpoint and is not deprecated; pages by token."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, specialties, text, tokens, words
from catalog.sources.pages import by_token

_FEATURES = {"tools": "tool-use", "reasoning": "reasoning"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    return [_listed(entry, id_field) for entry in entries if entry.get("is_deprecated") is not True]


def next_page(url: str, answer: Entry) -> str:
    return by_token(url, answer.get("next_page_token"), "page_token")


def _listed(entry: Entry, id_field: str) -> ListedModel:
    endpoints = {*words(entry, "endpoints"), *words(entry, "default_endpoints")}
    features = words(entry, "features")
    can_chat = "chat" in endpoints
    return ListedModel(
        external_id=text(entry, id_field),
        context_tokens=tokens(entry, "context_length"),
        modality=_modality(can_chat, endpoints, features),
        specialties=specialties(features, _FEATURES),
        is_wanted=can_chat,
    )


def _modality(can_chat: bool, endpoints: set[str], features: Sequence[str]) -> str:
    if can_chat:
        return "vision" if "vision" in features else "chat"
    return "embedding" if "embed" in endpoints else ""

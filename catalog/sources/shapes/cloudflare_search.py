"""Cloudflare: text generation models whose end has not come; facts stand in `properties`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from catalog.sources.listed import Entry, ListedModel, specialties, table, text, tokens
from catalog.sources.pages import with_query

_CHAT_TASK = "Text Generation"
_MODALITIES = {
    _CHAT_TASK: "chat",
    "Text Embeddings": "embedding",
    "Automatic Speech Recognition": "stt",
    "Text-to-Speech": "tts",
    "Text-to-Image": "image",
}
_FEATURES = {"function_calling": "tool-use", "reasoning": "reasoning", "vision": "vision"}


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    today = dt.datetime.now(dt.UTC).date()
    read = [(entry, _properties(entry)) for entry in entries]
    return [
        _listed(entry, properties, id_field)
        for entry, properties in read
        if not _has_ended(properties, today)
    ]


def next_page(url: str, answer: Entry) -> str:
    """The next number, until as many are told as there are."""
    info = table(answer, "result_info")
    page, per_page, total = (tokens(info, one) for one in ("page", "per_page", "total_count"))
    if not (page and per_page and total and answer.get("result")):
        return ""
    return with_query(url, page=str(page + 1)) if page * per_page < total else ""


def _properties(entry: Entry) -> dict[str, Any]:
    """The list of {property_id, value} as one table."""
    given = entry.get("properties")
    rows = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return {text(one, "property_id"): one.get("value") for one in rows}


def _has_ended(properties: Entry, today: dt.date) -> bool:
    try:
        return dt.date.fromisoformat(text(properties, "planned_deprecation_date")[:10]) < today
    except ValueError:
        return False


def _listed(entry: Entry, properties: Entry, id_field: str) -> ListedModel:
    task = text(table(entry, "task"), "name")
    said = [name for name in _FEATURES if properties.get(name) in ("true", True)]
    modality = _MODALITIES.get(task, "")
    return ListedModel(
        external_id=text(entry, id_field),
        context_tokens=tokens(properties, "context_window"),
        modality="vision" if task == _CHAT_TASK and "vision" in said else modality,
        specialties=specialties(said, _FEATURES),
        is_wanted=task == _CHAT_TASK,
    )

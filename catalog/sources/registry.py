"""Which shape is translated by which module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from catalog.sources import (
    baseten,
    groq,
    huggingface,
    hyperbolic,
    llm7,
    mistral,
    novita,
    openai,
    openrouter,
    vercel,
)
from catalog.sources.listed import BadList, Entry, ListedModel, is_usable_id
from catalog.sources.select import selected

MAX_ENTRIES = 20_000

Translate = Callable[[Sequence[Entry], str], list[ListedModel]]

_SHAPES: Mapping[str, Translate] = {
    "baseten": baseten.translate,
    "fireworks": hyperbolic.translate,
    "groq": groq.translate,
    "hf-router": huggingface.translate,
    "hyperbolic": hyperbolic.translate,
    "llm7": llm7.translate,
    "mistral": mistral.translate,
    "novita": novita.translate,
    "openai": openai.translate,
    "openrouter": openrouter.translate,
    "sambanova": openai.translate,
    "vercel-gateway": vercel.translate,
}


def is_known(shape: str) -> bool:
    return shape in _SHAPES


def translate(
    shape: str,
    payload: Any,
    *,
    items_path: str = "data",
    id_field: str = "id",
    select: Mapping[str, Sequence[str]] | None = None,
) -> list[ListedModel]:
    """A provider's list as models, each id once; raises BadList."""
    entries = _entries(payload, items_path)
    found: dict[str, ListedModel] = {}
    for listed in _SHAPES[shape](entries, id_field):
        if is_usable_id(listed.external_id):
            found.setdefault(listed.external_id.lower(), listed)
    if entries and not found:
        raise BadList(
            f"None of the {len(entries)} entries is a free model as we know them: the list may "
            "have a new shape, which a newer version of FreeLLM may read. Nothing was changed."
        )
    return selected(found.values(), select or {})


def _entries(payload: Any, items_path: str) -> list[Entry]:
    """The entries; a bare array is taken as well, because some servers change to and fro."""
    items = payload if isinstance(payload, list) else None
    if isinstance(payload, dict) and items_path:
        items = payload.get(items_path)
    if not isinstance(items, list):
        raise BadList(
            f"The answer has no list under “{items_path or 'its root'}”: it may have a new shape, "
            "which a newer version of FreeLLM may read. Nothing was changed."
        )
    if len(items) > MAX_ENTRIES:
        raise BadList(
            f"The list has {len(items):,} entries; more than {MAX_ENTRIES:,} are not read. "
            "Nothing was changed."
        )
    return [item for item in items if isinstance(item, dict)]

"""Mistral: several ids of one model name one another in `aliases`."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, table, text, tokens, words


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    """Of ids that are aliases of one another only one may add an offer, "-latest" by preference."""
    alive = [entry for entry in entries if not entry.get("deprecation")]
    alive.sort(key=lambda entry: not text(entry, id_field).endswith("-latest"))
    spoken_for: set[str] = set()
    listed = []
    for entry in alive:
        external_id = text(entry, id_field)
        is_first = external_id not in spoken_for
        spoken_for.update((external_id, *words(entry, "aliases")))
        listed.append(_listed(entry, external_id, is_first))
    return listed


def _listed(entry: Entry, external_id: str, is_first: bool) -> ListedModel:
    capabilities = table(entry, "capabilities")
    can_chat = capabilities.get("completion_chat") is True
    return ListedModel(
        external_id=external_id,
        context_tokens=tokens(entry, "max_context_length"),
        modality="vision" if can_chat and capabilities.get("vision") is True else "",
        is_wanted=is_first and can_chat,
    )

"""Hugging Face's router: a model counts while at least one host serves it."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, stated_modality, table, text, tokens


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    listed = []
    for entry in entries:
        routes = _live_routes(entry)
        if routes:
            listed.append(_listed(entry, routes, id_field))
    return listed


def _live_routes(entry: Entry) -> list[Entry]:
    routes = entry.get("providers")
    if not isinstance(routes, list):
        return []
    return [one for one in routes if isinstance(one, dict) and one.get("status") == "live"]


def _listed(entry: Entry, routes: Sequence[Entry], id_field: str) -> ListedModel:
    """The longest context of any live route; which one answers is the router's choice."""
    contexts = [count for route in routes if (count := tokens(route, "context_length"))]
    can_use_tools = any(route.get("supports_tools") is True for route in routes)
    return ListedModel(
        external_id=text(entry, id_field),
        context_tokens=max(contexts, default=None),
        modality=stated_modality(table(entry, "architecture")),
        specialties=("tool-use",) if can_use_tools else (),
    )

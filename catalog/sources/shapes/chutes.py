"""Chutes: Baseten's entries, of which those without a price are free; usually none are."""

from __future__ import annotations

from collections.abc import Sequence

from catalog.sources.listed import Entry, ListedModel, is_free_of_charge, table
from catalog.sources.shapes import baseten


def translate(entries: Sequence[Entry], id_field: str) -> list[ListedModel]:
    free = [entry for entry in entries if _is_free(entry)]
    return baseten.translate(free, id_field)


def _is_free(entry: Entry) -> bool:
    pricing = table(entry, "pricing")
    return all(is_free_of_charge(pricing.get(part)) for part in ("prompt", "completion"))

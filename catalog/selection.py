"""What an address of the catalog asks for, found: for its pages, and for whatever else lists it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict

from catalog.browse import Found, find
from catalog.facets import Labels, labels_of
from catalog.filters import Asked, read_address
from catalog.rows import Shelf, catalog_rows
from catalog.targets import Usability, usability


@dataclass(frozen=True, slots=True)
class Selection:
    asked: Asked
    found: Found
    shelf: Shelf
    labels: Labels
    usability: Usability


def select(params: QueryDict) -> Selection:
    """The models that fit an address' query string, or the offers where it asks for them."""
    now = usability()
    usable = {pk for pk, obstacle in now.obstacles.items() if obstacle is None}
    shelf = catalog_rows(usable, now.providers)
    labels = labels_of(shelf)
    asked = read_address(params, labels)
    found = find(shelf.by_offer if asked.is_by_offer else shelf, asked.filters)
    return Selection(asked, found, shelf, labels, now)

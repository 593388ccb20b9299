"""A model that a link asks for and nobody offers: say so, and what comes nearest."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from catalog.models import Model
from catalog.snapshot import asnapshot

_NEAREST = 3
_LIKENESS = 0.5  # of 1: fewer letters in common are no offer of help
_SLUG_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Missing:
    """`url` leads to the catalog's page where it knows the model; `nearest` are (slug, name)."""

    name: str
    url: str
    nearest: list[tuple[str, str]]


async def missing_model(slug: str) -> Missing | None:
    """None where the model can be called, or none is asked for."""
    names = {one.model_slug: one.model_name for one in (await asnapshot()).candidates}
    if not slug or slug in names:
        return None
    known = await Model.objects.filter(slug=slug).afirst()
    alike = get_close_matches(slug[:_SLUG_CHARACTERS], names, _NEAREST, _LIKENESS)
    return Missing(
        name=known.name if known else slug[:_SLUG_CHARACTERS],
        url=known.get_absolute_url() if known else "",
        nearest=[(one, names[one]) for one in alike],
    )

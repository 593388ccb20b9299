"""A model that a link asks for and nobody offers: say so, and what comes nearest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

from asgiref.sync import sync_to_async

from catalog.models import Model
from catalog.snapshot import asnapshot

_NEAREST = 3
_LIKENESS = 0.5  # of 1, inside a family: fewer letters in common are no offer of help
_SLIP = 0.8  # of 1: so alike that it may be a slip of the hand, whatever the family
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
    name, url = await sync_to_async(_known)(slug)
    near = _nearest(slug[:_SLUG_CHARACTERS], names)
    return Missing(name, url, nearest=[(one, names[one]) for one in near])


def _known(slug: str) -> tuple[str, str]:
    """The name and the address of a model that is in the catalog; else what was asked for."""
    model = Model.objects.filter(slug=slug).first()
    return (model.shown_name, model.get_absolute_url()) if model else (slug[:_SLUG_CHARACTERS], "")


def _nearest(slug: str, slugs: Collection[str]) -> list[str]:
    """Slips first, then others of its family: ALLaM shares letters with Llama and nothing else."""
    family = [one for one in slugs if one.partition("-")[0] == slug.partition("-")[0]]
    slips = get_close_matches(slug, slugs, _NEAREST, _SLIP)
    kin = get_close_matches(slug, family, _NEAREST, _LIKENESS)
    return list(dict.fromkeys([*slips, *kin]))[:_NEAREST]

"""The way in: a provider's answers, translated by the shape that its entry names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from types import ModuleType
from typing import Any

from catalog.sources import shapes
from catalog.sources.listed import BadList, Entry, ListedModel, is_usable_id
from catalog.sources.select import selected

MAX_ENTRIES = 20_000

Translate = Callable[[Sequence[Entry], str], list[ListedModel]]
NextPage = Callable[[str, Any], str]


def is_known(shape: str) -> bool:
    name = _module_name(shape)
    return name.isidentifier() and find_spec(f"{shapes.__name__}.{name}") is not None


def translate(
    shape: str,
    *pages: Any,
    items_path: str = "data",
    id_field: str = "id",
    select: Mapping[str, Sequence[str]] | None = None,
) -> list[ListedModel]:
    """A provider's list, in one page or several, as models, each id once; raises BadList."""
    entries = list(chain.from_iterable(_entries(page, items_path) for page in pages))
    if len(entries) > MAX_ENTRIES:
        raise BadList(
            f"The list has {len(entries):,} entries; more than {MAX_ENTRIES:,} are not read. "
            "Nothing was changed."
        )
    translate_all: Translate = _module(shape).translate
    found: dict[str, ListedModel] = {}
    for listed in translate_all(entries, id_field):
        if is_usable_id(listed.external_id):
            found.setdefault(listed.external_id.lower(), listed)
    if entries and not found:
        raise BadList(
            f"None of the {len(entries)} entries is a free model as we know them: the list may "
            "have a new shape, which a newer version of FreeLLM may read. Nothing was changed."
        )
    return selected(found.values(), select or {})


def next_page(shape: str, url: str, answer: Any) -> str:
    """The address of the page after the one that `url` answered; "" where it was the last."""
    of_shape: NextPage | None = getattr(_module(shape), "next_page", None)
    return of_shape(url, answer) if of_shape and isinstance(answer, dict) else ""


def _module(shape: str) -> ModuleType:
    return import_module(f"{shapes.__name__}.{_module_name(shape)}")


def _module_name(shape: str) -> str:
    return shape.replace("-", "_")


def _entries(answer: Any, items_path: str) -> list[Entry]:
    """The entries; a bare array is taken as well, because some servers change to and fro."""
    items = answer if isinstance(answer, list) else None
    if isinstance(answer, dict) and items_path:
        items = answer.get(items_path)
    if not isinstance(items, list):
        raise BadList(
            f"The answer has no list under “{items_path or 'its root'}”: it may have a new shape, "
            "which a newer version of FreeLLM may read. Nothing was changed."
        )
    return [item for item in items if isinstance(item, dict)]

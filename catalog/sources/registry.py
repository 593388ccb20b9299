"""The way in: a provider's answers, translated by the shape that its entry names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from types import ModuleType
from typing import Any

from catalog.sources import shapes
from catalog.sources.listed import (
    BadList,
    Entry,
    ListedModel,
    is_usable_id,
    text,
)
from catalog.sources.oddities import Oddity, notice, noticing
from catalog.sources.select import selected

MAX_ENTRIES = 20_000

Translate = Callable[[Sequence[Entry], str], list[ListedModel]]
NextPage = Callable[[str, Any], str]


def is_known(shape: str) -> bool:
    name = _module_name(shape)
    return name.isidentifier() and find_spec(f"{shapes.__name__}.{name}") is not None


@dataclass(frozen=True, slots=True)
class ReadList:
    """A provider's list as models, each id once; what was odd in it is counted by `Oddity`."""

    listed: list[ListedModel]
    oddities: Mapping[str, int]


def read_list(
    shape: str,
    *pages: Any,
    items_path: str = "data",
    id_field: str = "id",
    select: Mapping[str, Sequence[str]] | None = None,
) -> ReadList:
    """A provider's list, in one page or several; raises BadList."""
    with noticing() as oddities:
        entries = list(chain.from_iterable(_entries(page, items_path) for page in pages))
        _check_count(entries)
        found = _translated(_module(shape).translate, entries, id_field)
    if entries and not found:
        raise BadList(
            f"None of the {len(entries)} entries is a free model as we know them: the list may "
            "have a new shape, which a newer version of FreeLLM may read. Nothing was changed."
        )
    return ReadList(selected(found.values(), select or {}), dict(oddities))


def _check_count(entries: Sequence[Entry]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise BadList(
            f"The list has {len(entries):,} entries; more than {MAX_ENTRIES:,} are not read. "
            "Nothing was changed."
        )


def _translated(
    translate: Translate, entries: Sequence[Entry], id_field: str
) -> dict[str, ListedModel]:
    """By the id in lower case; of several entries with one id the first that is a model holds."""
    named = [entry for entry in entries if _has_usable_id(entry, id_field)]
    ids = {text(entry, id_field).lower() for entry in named}
    for _ in range(len(named) - len(ids)):
        notice(Oddity.TWICE)
    found: dict[str, ListedModel] = {}
    for listed in translate(named, id_field):
        if is_usable_id(listed.external_id):
            found.setdefault(listed.external_id.lower(), listed)
    return found


def _has_usable_id(entry: Entry, id_field: str) -> bool:
    value = entry.get(id_field)
    is_usable = isinstance(value, str) and is_usable_id(value.strip())
    if not is_usable:
        notice(Oddity.NO_ID)
    return is_usable


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
    entries: list[Entry] = [item for item in items if isinstance(item, dict)]
    for _ in range(len(items) - len(entries)):
        notice(Oddity.NOT_A_MODEL)
    return entries

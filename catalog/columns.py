"""The columns of the catalog's two tables: which there are, which a person wants to see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from catalog.filters import Asked


@dataclass(frozen=True, slots=True)
class Spec:
    """A column there is. `is_usual`: it is shown to who has not chosen."""

    name: str
    title: str
    is_number: bool = False
    is_usual: bool = True


_FIRST_TOKEN = Spec("first-token", "First token", is_number=True)
_SPEED = Spec("speed", "tok/s", is_number=True)
_CONTEXT = Spec("context", "Context", is_number=True)
_SINCE = Spec("since", "Here since", is_number=True, is_usual=False)
_FAMILY = Spec("family", "Family", is_usual=False)

COLUMNS: Mapping[str, Sequence[Spec]] = {
    "models": (
        Spec("good", "Good for"),
        _FAMILY,
        Spec("size", "Size", is_number=True, is_usual=False),
        Spec("active", "Active", is_number=True, is_usual=False),
        _CONTEXT,
        Spec("output", "Longest answer", is_number=True, is_usual=False),
        Spec("offers", "Offers"),
        Spec("left", "Left"),
        _FIRST_TOKEN,
        _SPEED,
        _SINCE,
    ),
    "offers": (
        Spec("provider", "Provider"),
        Spec("offers", "State"),
        Spec("left", "Left"),
        Spec("rpm", "A min", is_number=True),
        Spec("rpd", "A day", is_number=True),
        Spec("tpm", "Tokens a min", is_number=True, is_usual=False),
        Spec("tpd", "Tokens a day", is_number=True, is_usual=False),
        _CONTEXT,
        Spec("output", "Longest answer", is_number=True, is_usual=False),
        Spec("size", "Size", is_number=True, is_usual=False),
        _FAMILY,
        _FIRST_TOKEN,
        _SPEED,
        _SINCE,
    ),
}
NAME = Spec("name", "Model")


@dataclass(frozen=True, slots=True)
class Column:
    """A heading to sort by. `direction` is ARIA's word for the order in force, or ""."""

    name: str
    title: str
    href: str
    direction: str
    is_number: bool


def shown_of(view: str, chosen: Collection[str] | None) -> frozenset[str]:
    """The names of the columns to show; None: whoever looks has not chosen."""
    specs = COLUMNS[view]
    if chosen is None:
        return frozenset(one.name for one in specs if one.is_usual)
    return frozenset(one.name for one in specs) & frozenset(chosen)


def columns(asked: Asked, shown: Collection[str]) -> list[Column]:
    return [
        Column(
            one.name, one.title, asked.sorted_by(one.name), _direction(asked, one), one.is_number
        )
        for one in (NAME, *COLUMNS[asked.view])
        if one is NAME or one.name in shown
    ]


def choices(view: str, shown: Collection[str]) -> list[tuple[Spec, bool]]:
    """Every column that may be left out, and whether it is shown."""
    return [(one, one.name in shown) for one in COLUMNS[view]]


def _direction(asked: Asked, spec: Spec) -> str:
    by_sort = {spec.name: "ascending", f"-{spec.name}": "descending"}
    return by_sort.get(asked.filters.sort, "")

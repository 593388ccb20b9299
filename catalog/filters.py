"""The catalog page's address: filters read from it, and addresses with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.http import QueryDict

from catalog.browse import GROUPS, SORTS, USUAL_ORDER, Filters, Found
from catalog.models import Modality, Tier
from catalog.paging import read_page

LONGEST_SEARCH = 200
MOST_OPEN = 50
FIRST_VALUES = 8

TITLES = {
    "now": "Now",
    "good": "Good for",
    "size": "Size",
    "kind": "Kind",
    "provider": "Provider",
    "tier": "Terms",
}
LABELS: dict[str, dict[str, str]] = {
    "now": {"usable": "Callable now", "new": "New this week", "retired": "Retired"},
    "good": {
        "reasoning": "Reasoning",
        "tool-use": "Tools",
        "long-context": "Long context, 200k+",
        "vision": "Images",
        "code": "Code",
        "multilingual": "Many languages",
        "math": "Maths",
        "translation": "Translation",
    },
    "size": {
        "small": "under 10B",
        "medium": "10B to 40B",
        "large": "40B to 150B",
        "huge": "150B and more",
        "unknown": "not published",
    },
    "kind": {value: str(label) for value, label in Modality.choices},
    "tier": {value: str(label) for value, label in Tier.choices},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The address as understood. `notices` name what was ignored, and why."""

    filters: Filters
    search: str = ""
    page: int = 1
    opened: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()

    def address(self) -> str:
        """The same in the query string's normal form, "?" included."""
        pairs = [("q", self.search)] if self.search else []
        pairs += [(g, value) for g in GROUPS for value in sorted(self.filters.of(g))]
        if self.filters.sort != USUAL_ORDER:
            pairs.append(("sort", self.filters.sort))
        if self.page > 1:
            pairs.append(("page", str(self.page)))
        pairs += [("open", slug) for slug in sorted(self.opened)]
        return f"?{urlencode(pairs)}" if pairs else "?"

    def without(self, group: str, value: str) -> str:
        chosen = {**self.filters.chosen, group: self.filters.of(group) - {value}}
        return replace(self, filters=replace(self.filters, chosen=chosen), page=1).address()

    def without_search(self) -> str:
        return replace(self, filters=replace(self.filters, words=()), search="", page=1).address()

    def on_page(self, page: int) -> str:
        return replace(self, page=page, opened=frozenset()).address()

    def sorted_by(self, column: str) -> str:
        """By this column; once more turns it round. Names begin at A, figures with the largest."""
        first, second = (column, f"-{column}") if column == "name" else (f"-{column}", column)
        sort = second if self.filters.sort == first else first
        return replace(self, filters=replace(self.filters, sort=sort), page=1).address()

    def toggled(self, slug: str) -> str:
        return replace(self, opened=self.opened ^ {slug}).address()


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    label: str
    count: int
    is_chosen: bool

    @property
    def is_disabled(self) -> bool:
        """Nothing would be left; a chosen one can always be taken back."""
        return self.count == 0 and not self.is_chosen


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    title: str
    values: Sequence[FacetValue]

    @property
    def first(self) -> Sequence[FacetValue]:
        return self.values[:FIRST_VALUES]

    @property
    def more(self) -> Sequence[FacetValue]:
        """What waits behind a link, so that a long list does not push the rest away."""
        return self.values[FIRST_VALUES:]

    @property
    def more_title(self) -> str:
        what = "providers" if self.name == "provider" else "values"
        return f"More {what}, {len(self.more)}"

    @property
    def is_open(self) -> bool:
        return self.name != "tier" or any(one.is_chosen for one in self.values)


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    remove: str


@dataclass(frozen=True, slots=True)
class Column:
    """A heading to sort by. `direction` is ARIA's word for the order in force, or ""."""

    name: str
    title: str
    href: str
    direction: str
    is_number: bool


def columns(asked: Asked) -> dict[str, Column]:
    titles = {"name": "Model", "size": "Size", "context": "Context", "offers": "Offers"}
    return {
        name: Column(name, title, asked.sorted_by(name), _direction(asked, name), name != "name")
        for name, title in titles.items()
    }


def _direction(asked: Asked, name: str) -> str:
    return {name: "ascending", f"-{name}": "descending"}.get(asked.filters.sort, "")


@dataclass(slots=True)
class _Reader:
    params: QueryDict
    notices: list[str] = field(default_factory=list)

    def chosen(self, group: str, known: Mapping[str, str]) -> frozenset[str]:
        asked = set(self.params.getlist(group)) - {""}
        for unknown in sorted(asked - known.keys())[:3]:
            self.notices.append(
                f"“{unknown[:60]}” is not a choice of {TITLES[group]}; it is ignored."
            )
        return frozenset(asked & known.keys())

    def sort(self) -> str:
        asked = self.params.get("sort", "") or USUAL_ORDER
        if asked.removeprefix("-") in SORTS and not asked.startswith("--"):
            return asked
        self.notices.append(f"There is no column “{asked[:60]}” to sort by; the usual order holds.")
        return USUAL_ORDER

    def search(self) -> str:
        typed = " ".join(self.params.get("q", "").split())
        if len(typed) > LONGEST_SEARCH:
            self.notices.append(f"Only the first {LONGEST_SEARCH} characters are searched for.")
        return typed[:LONGEST_SEARCH]


def read_address(params: QueryDict, providers: Mapping[str, str]) -> Asked:
    """Understand the address; `providers` maps slugs to names. Never raises."""
    reader = _Reader(params)
    labels = {**LABELS, "provider": providers}
    chosen = {group: reader.chosen(group, labels[group]) for group in GROUPS}
    search = reader.search()
    page = read_page(params, reader.notices)
    filters = Filters(tuple(search.casefold().split()), chosen, reader.sort())
    opened = frozenset(params.getlist("open")[:MOST_OPEN]) - {""}
    return Asked(filters, search, page, opened, tuple(reader.notices))


def facets(found: Found, filters: Filters, providers: Mapping[str, str]) -> list[Facet]:
    """Every group with its values; in a long one those with most models first."""
    labels = {**LABELS, "provider": providers}
    return [
        Facet(group, TITLES[group], _values(group, labels[group], found, filters))
        for group in GROUPS
    ]


def _values(
    group: str, labels: Mapping[str, str], found: Found, filters: Filters
) -> list[FacetValue]:
    counts, chosen = found.counts[group], filters.of(group)
    values = [
        FacetValue(value, label, counts[value], value in chosen) for value, label in labels.items()
    ]
    if len(values) > FIRST_VALUES:
        values.sort(key=lambda one: (not one.is_chosen, -one.count, one.label.casefold()))
    return values


def chips(asked: Asked, providers: Mapping[str, str]) -> list[Chip]:
    """What is in force, each with the address that takes it back."""
    labels = {**LABELS, "provider": providers}
    found = [Chip(f"“{asked.search}”", asked.without_search())] if asked.search else []
    return found + [
        Chip(labels[group][value], asked.without(group, value))
        for group in GROUPS
        for value in sorted(asked.filters.of(group))
    ]

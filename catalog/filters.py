"""The catalog page's address: filters read from it, and addresses with one thing changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.http import QueryDict

from catalog.browse import GROUPS, SORTS, USUAL_ORDER, Filters
from catalog.facets import Labels, chosen_words, unknown_notice
from catalog.paging import read_page

LONGEST_SEARCH = 200
MOST_OPEN = 50
VIEWS = {"models": "Models", "offers": "Offers"}
# What begins with the least when it is sorted by for the first time.
_RISING = {"name", "family", "provider", "first-token"}


@dataclass(frozen=True, slots=True)
class Asked:
    """The address as understood. `notices` name what was ignored, and why."""

    filters: Filters
    search: str = ""
    page: int = 1
    view: str = "models"
    opened: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()

    @property
    def is_by_offer(self) -> bool:
        return self.view == "offers"

    def address(self) -> str:
        """The same in the query string's normal form, "?" included."""
        pairs = [("q", self.search)] if self.search else []
        pairs += [(g, value) for g in GROUPS for value in sorted(self.filters.of(g))]
        if self.is_by_offer:
            pairs.append(("view", self.view))
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

    def without_all(self) -> str:
        return replace(self, filters=Filters(), search="", page=1, opened=frozenset()).address()

    def on_page(self, page: int) -> str:
        return replace(self, page=page, opened=frozenset()).address()

    def seen_as(self, view: str) -> str:
        return replace(self, view=view, page=1, opened=frozenset()).address()

    def sorted_by(self, column: str) -> str:
        """By this column; once more turns it round. Names begin at A, figures with the largest."""
        first, second = (f"-{column}", column)
        if column in _RISING:
            first, second = second, first
        sort = second if self.filters.sort == first else first
        return replace(self, filters=replace(self.filters, sort=sort), page=1).address()

    def toggled(self, slug: str) -> str:
        return replace(self, opened=self.opened ^ {slug}).address()


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    remove: str


def chips(asked: Asked, labels: Labels) -> list[Chip]:
    """What is in force, each with the address that takes it back."""
    found = [Chip(f"“{asked.search}”", asked.without_search())] if asked.search else []
    return found + [
        Chip(words, asked.without(group, value))
        for group, value, words in chosen_words(asked.filters, labels)
    ]


@dataclass(slots=True)
class _Reader:
    params: QueryDict
    notices: list[str] = field(default_factory=list)

    def chosen(self, group: str, known: Collection[str]) -> frozenset[str]:
        asked = set(self.params.getlist(group)) - {""}
        self.notices += unknown_notice(group, asked - set(known))
        return frozenset(asked & set(known))

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

    def view(self) -> str:
        asked = self.params.get("view", "") or "models"
        if asked in VIEWS:
            return asked
        self.notices.append(f"“{asked[:60]}” is not a view; this is the one by model.")
        return "models"


def read_address(params: QueryDict, labels: Labels) -> Asked:
    """Understand the address; `labels` hold every value there is to choose. Never raises."""
    reader = _Reader(params)
    chosen = {group: reader.chosen(group, labels[group]) for group in GROUPS}
    search = reader.search()
    page = read_page(params, reader.notices)
    filters = Filters(tuple(search.casefold().split()), chosen, reader.sort())
    opened = frozenset(params.getlist("open")[:MOST_OPEN]) - {""}
    view = reader.view()
    return Asked(filters, search, page, view, opened, tuple(reader.notices))

"""Pages of a list: which one is asked for, and an answer for one that does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import QueryDict

LONGEST_NUMBER = 9  # digits


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list, with the addresses of its neighbours."""

    page: Page[Any]
    asked: int
    chosen: Mapping[str, str]

    @classmethod
    def of(
        cls,
        rows: QuerySet[Any] | Sequence[Any],
        asked: int,
        per_page: int,
        chosen: Mapping[str, str],
    ) -> Listing:
        paginator: Paginator[Any] = Paginator(rows, per_page)
        return cls(paginator.page(min(asked, paginator.num_pages)), asked, chosen)

    @property
    def is_beyond(self) -> bool:
        return self.asked > self.page.paginator.num_pages

    @property
    def status(self) -> int:
        return 404 if self.is_beyond else 200

    @property
    def last(self) -> str:
        return self._address(self.page.paginator.num_pages)

    @property
    def previous(self) -> str:
        return self._address(self.page.number - 1) if self.page.has_previous() else ""

    @property
    def next(self) -> str:
        return self._address(self.page.number + 1) if self.page.has_next() else ""

    @property
    def address(self) -> str:
        """This page's own query string, in its normal form."""
        return self._address(self.page.number)

    def _address(self, number: int) -> str:
        pairs = {name: value for name, value in self.chosen.items() if value}
        if number > 1:
            pairs["page"] = str(number)
        return f"?{urlencode(pairs)}"


def read_number(params: QueryDict, name: str) -> int | None:
    """A whole number from 1 on that fits a database's column; None for anything else."""
    asked = params.get(name, "")
    is_number = asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_NUMBER
    return (int(asked) or None) if is_number else None


def read_page(params: QueryDict, notices: list[str]) -> int:
    """The page asked for; the first, with a notice, for what is none."""
    number = read_number(params, "page")
    if number is None and params.get("page"):
        notices.append(f"“{params['page'][:20]}” is not a page; this is the first.")
    return number or 1


def read_choice(params: QueryDict, name: str, known: Mapping[str, str], notices: list[str]) -> str:
    """One of the known values or ""; an unknown one is ignored with a notice."""
    asked = params.get(name, "")
    if not asked or asked in known:
        return asked
    notices.append(f"“{asked[:60]}” is not a {name} of this list; it is ignored.")
    return ""

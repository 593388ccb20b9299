"""What admins chose for one offer, model or provider, as its readers ask for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils.functional import cached_property

Limits = dict[str, int]
Pinned = Mapping[str, int | None]  # None: no such limit


class Made(NamedTuple):
    """Who made a choice, and when; the author is "" where the account is gone."""

    author: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """Empty where the catalog's own facts hold. `limits` names only what is overridden."""

    is_hidden: bool = False
    is_pinned: bool = False
    name: str = ""
    limits: Pinned = field(default_factory=dict)
    is_free: bool | None = None  # None: as its provider says
    note: str = ""
    made: Mapping[str, Made] = field(default_factory=dict)  # by aspect


NOTHING_CHOSEN = Chosen()

FIELDS = {
    "hidden": "is_hidden",
    "pinned": "is_pinned",
    "name": "name",
    "limits": "limits",
    "free": "is_free",
    "note": "note",
}


def chosen_of(rows: Iterable[tuple[str, Any, Made]]) -> Chosen:
    """From the aspect, the value and the making of each choice in force."""
    known = [row for row in rows if row[0] in FIELDS]
    values = {FIELDS[aspect]: value for aspect, value, _ in known}
    return Chosen(**values, made={aspect: made for aspect, _, made in known})


def pinned_limits(own: Limits, chosen: Chosen, of_provider: Chosen) -> Pinned:
    """What admins set of an offer's limits; what they set for its provider yields to `own` ones."""
    common = {} if own else of_provider.limits
    return {**common, **chosen.limits} if common else chosen.limits


def with_pinned(limits: Limits, pinned: Pinned) -> Limits:
    """These limits with what an admin set instead."""
    if not pinned:
        return limits
    every = {**limits, **pinned}
    return {name: amount for name, amount in every.items() if amount is not None}


class Choosable:
    """A row that admins may choose something of."""

    pk: Any
    choices: Any  # the related manager of `Choice`

    @cached_property
    def chosen(self) -> Chosen:
        """What admins chose; readers of many rows attach it first (`catalog.choices.attach`)."""
        found: Chosen = self.choices.chosen() if self.pk else NOTHING_CHOSEN
        return found

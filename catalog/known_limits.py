"""What is known of a quota's limits: by whom each was named, how long ago, and which one holds.

Pure: the catalog's rows and what the engine last read go in (`catalog.live`), rows for pages come
out. What the engine keeps to is in force; where it was not asked, a pin or what is published.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from freellm_site.lib.format import quantity
from gateway.limiter.quota import Learned, Level, LimitLevel, LimitSource
from gateway.types import LIMIT_NAMES, Window


class Source(StrEnum):
    """How a limit is known; the value is the word that pages use."""

    PUBLISHED = "published"
    HEADER = "header"  # named in an answer to us, in its headers or in a refusal's body
    LEARNED = "learned"  # measured: by what was let through and what was refused
    PINNED = "pinned"  # set by an admin

    @property
    def icon(self) -> str:
        return "pin" if self is Source.PINNED else self.value


_SOURCE_OF = {
    LimitSource.PUBLISHED: Source.PUBLISHED,
    LimitSource.HEADERS: Source.HEADER,
    LimitSource.MEASURED: Source.LEARNED,
    LimitSource.PINNED: Source.PINNED,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One source's word for one limit. `on` is a day, `age_s` a time: at most one is known."""

    amount: int | None  # None: an admin says that there is no such limit
    source: Source
    on: dt.date | None = None
    age_s: float | None = None
    by: str = ""  # who pinned it

    @property
    def words(self) -> str:
        return "no limit" if self.amount is None else quantity(self.amount)


@dataclass(frozen=True, slots=True)
class KnownLimit:
    """One dimension of a quota ("rpm") with everything that is known of its amount."""

    name: str
    in_force: Figure
    figures: Mapping[Source, Figure]
    left: int | None = None  # None while nobody can tell

    @property
    def unit(self) -> str:
        return LIMIT_NAMES[self.name][0].value.capitalize()

    @property
    def span(self) -> str:
        window = LIMIT_NAMES[self.name][1]
        return f"{'an' if window is Window.HOUR else 'a'} {window}"

    @property
    def is_learned(self) -> bool:
        """Whether anything but what is published is known of it."""
        return set(self.figures) != {Source.PUBLISHED}

    @property
    def columns(self) -> list[tuple[Figure | None, bool]]:
        """Each source's figure and whether it is the one in force, in the order of `Source`."""
        found = [self.figures.get(source) for source in Source]
        return [(one, one is not None and one == self.in_force) for one in found]


@dataclass(frozen=True, slots=True)
class Pin:
    """Limits that an admin has set in the place of whatever else is known."""

    limits: Mapping[str, int | None] = field(default_factory=dict)
    on: dt.date | None = None
    by: str = ""


NO_PIN = Pin()


def known_limits(
    published: Mapping[str, int],
    as_of: dt.date | None,
    level: Level | None = None,
    pin: Pin = NO_PIN,
) -> tuple[KnownLimit, ...]:
    """Every dimension of which anything is known, the shortest window first.

    `level` is None where no call can be sent, so that nothing can have been learned.
    """
    levels = {one.limit.name: one for one in level.limits} if level and level.is_known else {}
    names = {*published, *pin.limits, *levels} & LIMIT_NAMES.keys()
    return tuple(
        _known(name, _figures(name, published, as_of, levels.get(name), pin), levels.get(name))
        for name in sorted(names, key=_place)
    )


def _figures(
    name: str,
    published: Mapping[str, int],
    as_of: dt.date | None,
    level: LimitLevel | None,
    pin: Pin,
) -> dict[Source, Figure]:
    found = {}
    if name in published:
        found[Source.PUBLISHED] = Figure(published[name], Source.PUBLISHED, on=as_of)
    elif level is not None and level.source is LimitSource.PUBLISHED:  # of one of its offers
        found[Source.PUBLISHED] = Figure(level.limit.amount, Source.PUBLISHED, on=as_of)
    if level is not None and level.said is not None:
        found[Source.HEADER] = _learned(Source.HEADER, level.said)
    if level is not None and level.measured is not None:
        found[Source.LEARNED] = _learned(Source.LEARNED, level.measured)
    if level is not None and level.source is LimitSource.PINNED:  # perhaps in the tuning
        found[Source.PINNED] = Figure(level.amount, Source.PINNED)
    if name in pin.limits:
        found[Source.PINNED] = Figure(pin.limits[name], Source.PINNED, on=pin.on, by=pin.by)
    if level is not None and (source := _SOURCE_OF.get(level.source)) and source not in found:
        # An offer's own limit in a pool that the provider has none for, or a tuned one.
        found[source] = Figure(level.amount, source)
    return found


def _learned(source: Source, learned: Learned) -> Figure:
    return Figure(learned.amount, source, age_s=learned.s_ago)


def _known(name: str, figures: Mapping[Source, Figure], level: LimitLevel | None) -> KnownLimit:
    """What the engine keeps to is in force; where it has not been asked, the strongest figure."""
    held = figures.get(_SOURCE_OF[level.source]) if level else None
    if Source.PINNED in figures:
        held = figures[Source.PINNED]
    in_force = held or next(figures[one] for one in Source if one in figures)
    return KnownLimit(name, in_force, figures, level.left if level else None)


def _place(name: str) -> tuple[int, str]:
    unit, window = LIMIT_NAMES[name]
    return window.seconds, unit

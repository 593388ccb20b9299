"""Models side by side: one row for each fact, and which of the facts differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.http import QueryDict

from catalog.browse import Filters, find, traits_of
from catalog.facets import LABELS, TITLES
from catalog.measured import surest
from catalog.model_list import ModelLine, model_lines
from catalog.models import Modality
from catalog.offers import in_full
from catalog.rows import ModelRow, Shelf
from catalog.selection import select
from freellm_site.lib import format as formats
from freellm_site.lib.format import MISSING
from gateway.types import LIMIT_NAMES

MOST = 4
NOT_PUBLISHED = "not published"
NO_CALLS = "no calls yet"
_LONGEST_LIST = 50  # slugs of an address that are looked at


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the table. `best` are the columns that do best where more is simply better."""

    title: str
    cells: Sequence[str]
    best: frozenset[int] = frozenset()

    @property
    def differs(self) -> bool:
        return len(set(self.cells)) > 1

    @property
    def columns(self) -> list[tuple[str, bool]]:
        return [(cell, place in self.best) for place, cell in enumerate(self.cells)]


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Comparison:
    lines: Sequence[ModelLine]
    groups: Sequence[Group]
    notices: Sequence[str]

    @property
    def slugs(self) -> list[str]:
        return [line.row.slug for line in self.lines]

    @property
    def is_full(self) -> bool:
        return len(self.lines) == MOST

    @property
    def different_count(self) -> int:
        return sum(fact.differs for group in self.groups for fact in group.facts)

    @property
    def columns(self) -> list[tuple[ModelLine, str]]:
        """Each model with the address that leaves it out."""
        return [
            (line, ",".join(slug for slug in self.slugs if slug != line.row.slug))
            for line in self.lines
        ]


def compare(params: QueryDict) -> Comparison:
    """The models of `?models=a,b`, and the first that `?add=` finds; what is too much is told."""
    selection = select(QueryDict())
    known = {row.slug: row for row in selection.shelf}
    asked = _asked(params)
    notices = [f"No model is filed under “{one[:60]}”." for one in asked if one not in known]
    rows = [known[slug] for slug in asked if slug in known]
    rows += _added(params.get("add", ""), selection.shelf, notices)
    rows = list({row.slug: row for row in rows}.values())
    notices += [
        f"Four models at most stand side by side. Take one away before you add {row.name}."
        for row in rows[MOST:]
    ]
    lines = model_lines([_alive(row) for row in rows[:MOST]], selection)
    return Comparison(lines, _groups(lines) if lines else (), notices)


def _asked(params: QueryDict) -> list[str]:
    slugs = [slug.strip() for one in params.getlist("models") for slug in one.split(",")]
    return list(dict.fromkeys(slug for slug in slugs if slug))[:_LONGEST_LIST]


def _added(search: str, shelf: Shelf, notices: list[str]) -> list[ModelRow]:
    words = tuple(search.casefold().split())
    if not words:
        return []
    found = find(shelf, Filters(words)).models
    exact = [row for row in found if row.name.casefold() == search.strip().casefold()]
    if not found:
        notices.append(f"No model is called “{search[:60]}”.")
    return (exact or found)[:1]


def _alive(row: ModelRow) -> ModelRow:
    """Without the offers that have ended, unless there are no others."""
    offers = tuple(one for one in row.offers if not one.is_retired)
    return replace(row, offers=offers) if offers else row


def _groups(lines: Sequence[ModelLine]) -> list[Group]:
    rows = [line.row for line in lines]
    return [
        Group("The model", _model_facts(rows)),
        Group("Good for", [_ability(name, title, rows) for name, title in LABELS["good"].items()]),
        Group("Offers", _offer_facts(lines)),
        Group("Limits, the most generous offer", _limit_facts(rows)),
        Group("Measured here, the last week, best offer", _measured_facts(lines)),
        Group("Terms", _term_facts(rows)),
    ]


def _model_facts(rows: Sequence[ModelRow]) -> list[Fact]:
    kinds = dict(Modality.choices)
    return [
        Fact("Family", [row.family or "not known" for row in rows]),
        Fact("Kind", [str(kinds[row.modality]) for row in rows]),
        Fact("Size", [_billions(row.params_b) for row in rows]),
        Fact("Active at a time", [_billions(row.working_b) for row in rows]),
        _figures("Longest context", [row.context_tokens for row in rows], _tokens),
        _figures("Longest answer", [row.max_output_tokens for row in rows], _tokens),
    ]


def _ability(name: str, title: str, rows: Sequence[ModelRow]) -> Fact:
    return Fact(title, ["yes" if name in row.specialties else MISSING for row in rows])


def _offer_facts(lines: Sequence[ModelLine]) -> list[Fact]:
    providers = [
        ", ".join(dict.fromkeys(one.provider_name for one in line.row.offers)) for line in lines
    ]
    left = [line.best.left if line.best else None for line in lines]
    return [
        Fact("Offered by", providers),
        _figures("Offers", [len(line.row.offers) for line in lines], formats.quantity),
        _figures("Callable now", [line.row.usable_count for line in lines], formats.quantity),
        Fact("Best offer now", [line.state.word for line in lines]),
        _figures("Left of its quota", left, formats.percent, missing="not known"),
    ]


def _limit_facts(rows: Sequence[ModelRow]) -> list[Fact]:
    named = {name for row in rows for one in row.offers for name in one.limits}
    names = [name for name in LIMIT_NAMES if name in named]
    return [
        _figures(in_full(name).capitalize(), [_most(row, name) for row in rows], formats.quantity)
        for name in names
    ]


def _most(row: ModelRow, name: str) -> int | None:
    return max((one.limits[name] for one in row.offers if name in one.limits), default=None)


def _measured_facts(lines: Sequence[ModelLine]) -> list[Fact]:
    shares = [surest(line.did) for line in lines]
    first = [line.first_token_s for line in lines]
    speeds = [line.tokens_per_s for line in lines]
    return [
        _figures("First token", first, formats.seconds, missing=NO_CALLS, less_is_better=True),
        _figures("Tokens a second", speeds, formats.quantity, missing=NO_CALLS),
        _figures("Answered", shares, formats.percent, missing=NO_CALLS),
    ]


def _term_facts(rows: Sequence[ModelRow]) -> list[Fact]:
    return [
        Fact(TITLES[group], [_terms(row, group, LABELS[group]) for row in rows])
        for group in ("tier", "training", "demands")
    ]


def _terms(row: ModelRow, group: str, labels: Mapping[str, str]) -> str:
    """What holds at some of the offers, or at all."""
    values = {value for one in row.offers for value in traits_of(one.traits, group)}
    return " · ".join(label for value, label in labels.items() if value in values)


Figure = float | None


def _figures(
    title: str,
    values: Sequence[Figure],
    words: Callable[[float], str],
    *,
    missing: str = NOT_PUBLISHED,
    less_is_better: bool = False,
) -> Fact:
    known = [value for value in values if value is not None]
    best = (min(known) if less_is_better else max(known)) if known else None
    places = (place for place, value in enumerate(values) if value is not None and value == best)
    cells = [missing if value is None else words(value) for value in values]
    differ = len(set(values)) > 1
    return Fact(title, cells, frozenset(places) if differ else frozenset())


def _tokens(value: float) -> str:
    return formats.quantity(value, short=True)


def _billions(params_b: float | None) -> str:
    return NOT_PUBLISHED if params_b is None else formats.quantity(params_b * 1e9)

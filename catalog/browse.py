"""The catalog page's filter: rows in, the matching models, their offers and facet counts out.

All rows are judged in memory, because every facet shows a count under the current filter: in SQL
that would be a query for each of some sixty values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from catalog.rows import ModelRow, OfferRow, Traits

# Groups that judge a model, and those that judge each of its offers.
MODEL_GROUPS = ("good", "size", "kind")
OFFER_GROUPS = ("now", "provider", "tier")
GROUPS = ("now", "good", "size", "kind", "provider", "tier")

USUAL_ORDER = "-offers"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person asked for; every value is known, see `catalog.filters`."""

    words: tuple[str, ...] = ()
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sort: str = USUAL_ORDER

    def of(self, group: str) -> frozenset[str]:
        return self.chosen.get(group, frozenset())

    @property
    def is_empty(self) -> bool:
        return not self.words and not any(self.chosen.values())


@dataclass(frozen=True, slots=True)
class Found:
    """The matching models, each with its matching offers only, and the facets' counts."""

    models: list[ModelRow]
    counts: Mapping[str, Counter[str]]

    @property
    def offer_count(self) -> int:
        return sum(len(model.offers) for model in self.models)


def find(rows: Iterable[ModelRow], filters: Filters) -> Found:
    """Filter and sort; a count says how many models its value would leave."""
    counts = {group: Counter[str]() for group in GROUPS}
    judge = OfferJudge(filters)
    matching = [match for row in rows if (match := _judge(row, filters, judge, counts))]
    key, is_descending = SORTS[filters.sort.removeprefix("-")], filters.sort.startswith("-")
    matching.sort(key=lambda row: row.name.casefold())
    matching.sort(key=lambda row: _present(key(row), is_descending), reverse=is_descending)
    return Found(matching, counts)


def _judge(
    row: ModelRow, filters: Filters, judge: OfferJudge, counts: Mapping[str, Counter[str]]
) -> ModelRow | None:
    """Count the row where it belongs; give it back, with its matching offers, if it matches.

    A value's count leaves its own group out: the row counts there when nothing else fails it.
    """
    if filters.words and not all(word in _haystack(row) for word in filters.words):
        return None
    failing = [group for group in MODEL_GROUPS if not _model_passes(row, group, filters)]
    if len(failing) > 1:
        return None
    verdicts = [judge.of(offer) for offer in row.offers]
    matches = any(not one.fails for one in verdicts)
    if matches:
        for group in failing or MODEL_GROUPS:
            for value in _model_values(row, group, filters):
                counts[group][value] += 1
    if failing:
        return None
    for group, value in {pair for one in verdicts for pair in one.counts}:
        counts[group][value] += 1
    if not matches:
        return None
    if not any(one.fails for one in verdicts):
        return row
    pairs = zip(row.offers, verdicts, strict=True)
    return replace(row, offers=tuple(offer for offer, one in pairs if not one.fails))


class OfferVerdict(NamedTuple):
    """Which groups an offer fails, and the (group, value) pairs it counts for."""

    fails: tuple[str, ...]
    counts: tuple[tuple[str, str], ...]


class OfferJudge:
    """Judges offers by their traits, each kind of offer once."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self._known: dict[Traits, OfferVerdict] = {}

    def of(self, offer: OfferRow) -> OfferVerdict:
        verdict = self._known.get(offer.traits)
        if verdict is None:
            verdict = self._known[offer.traits] = self._judge(offer.traits)
        return verdict

    def _judge(self, offer: Traits) -> OfferVerdict:
        fails = tuple(one for one in OFFER_GROUPS if not _offer_passes(offer, one, self._filters))
        # What fails two groups counts for neither.
        groups = () if len(fails) > 1 else fails or OFFER_GROUPS
        counted = [
            (group, value)
            for group in groups
            for value in _offer_values(offer, group, self._filters)
        ]
        return OfferVerdict(fails, tuple(counted))


def _model_passes(row: ModelRow, group: str, filters: Filters) -> bool:
    chosen = filters.of(group)
    if group == "good":  # abilities add up: reasoning and tools
        return chosen <= set(row.specialties)
    return not chosen or (row.size if group == "size" else row.modality) in chosen


def _model_values(row: ModelRow, group: str, filters: Filters) -> Collection[str]:
    if group == "good":
        return row.specialties if filters.of("good") <= set(row.specialties) else ()
    return (row.size if group == "size" else row.modality,)


def _offer_passes(offer: Traits, group: str, filters: Filters) -> bool:
    chosen = filters.of(group)
    if group == "now":
        return _is_now(offer, chosen)
    return not chosen or (offer.provider if group == "provider" else offer.tier) in chosen


def _offer_values(offer: Traits, group: str, filters: Filters) -> Collection[str]:
    if group == "now":
        chosen = filters.of("now")
        return [one for one in ("usable", "new", "retired") if _is_now(offer, chosen | {one})]
    return (offer.provider if group == "provider" else offer.tier,)


def _is_now(offer: Traits, chosen: Collection[str]) -> bool:
    """What is retired shows only to who asks for it."""
    if offer.is_retired != ("retired" in chosen):
        return False
    return ("usable" not in chosen or offer.is_usable) and ("new" not in chosen or offer.is_new)


def _haystack(row: ModelRow) -> str:
    ids = " ".join(offer.external_id for offer in row.offers)
    return f"{row.name} {row.family} {row.slug} {ids}".casefold()


def _present(
    value: float | str | tuple[int, ...] | None, is_descending: bool
) -> tuple[bool, float | str | tuple[int, ...]]:
    """Unknown values come last, whichever way the column is sorted."""
    missing = value is None
    return (missing != is_descending, 0 if value is None else value)


SORTS: dict[str, Callable[[ModelRow], float | str | tuple[int, ...] | None]] = {
    "name": lambda row: row.name.casefold(),
    "context": lambda row: row.context_tokens,
    "size": lambda row: row.params_b,
    # What cannot chat is not what people come for, however many offer it.
    "offers": lambda row: (row.chats, row.usable_count, len(row.offers)),
}

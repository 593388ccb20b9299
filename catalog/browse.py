"""The catalog page's filter: rows in, those that match, and the facets' counts, out.

Every facet shows counts under the current filter. So each value of each facet is a set of rows,
held as one large number with a bit for each: some hundred ANDs and bit counts then answer what in
SQL would be a query for each value.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_, itemgetter, or_

from catalog.bitsets import bits_of, places_of
from catalog.measured import Measured, fastest, measured, quickest
from catalog.rows import ModelRow, Shelf, Traits
from catalog.search import Search, search_of

# Groups that judge a model, and those that judge each of its offers.
MODEL_GROUPS = ("good", "kind", "size", "active", "family")
OFFER_GROUPS = ("now", "context", "provider", "tier", "training", "demands")
# In the order of the page.
GROUPS = (
    *("now", "good", "kind", "size", "active", "context"),
    *("provider", "family", "tier", "training", "demands"),
)

USUAL_ORDER = "-offers"
NOW = ("usable", "new", "retired")


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
    """The matching rows, each with its matching offers only, and the facets' counts.

    `alike` are the searched words that nothing holds, each with those taken in their place.
    """

    models: list[ModelRow]
    counts: Mapping[str, Counter[str]]
    alike: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def offer_count(self) -> int:
        return sum(len(model.offers) for model in self.models)


def find(shelf: Shelf, filters: Filters) -> Found:
    """Filter and sort; a count says how many rows its value would leave."""
    index = _index_of(shelf)
    search = search_of(shelf).find(filters.words) if filters.words else Search(index.everything)
    by_model = {group: index.passing(group, filters.of(group)) for group in MODEL_GROUPS}
    tally = _Tally.of(index, filters)
    counts = {group: Counter[str]() for group in GROUPS}
    models_fit = reduce(and_, by_model.values(), search.rows)
    for (group, value), rows in tally.rows.items():
        counts[group][value] = (rows & models_fit).bit_count()
    for group in MODEL_GROUPS:
        others = [mask for name, mask in by_model.items() if name != group or group == "good"]
        fit = reduce(and_, others, search.rows & tally.matching)
        for value, rows in index.values[group].items():
            counts[group][value] = (rows & fit).bit_count()
    matching = [_narrowed(shelf[n], tally.passing) for n in places_of(models_fit & tally.matching)]
    return Found(_sorted(matching, filters.sort), counts, search.alike)


class _Index:
    """For each value of a model's groups, and for each kind of offer, the rows that have it."""

    def __init__(self, shelf: Shelf) -> None:
        self.kinds = shelf.kinds
        self.everything = (1 << len(shelf)) - 1
        values: dict[tuple[str, str], list[int]] = defaultdict(list)
        kinds: list[list[int]] = [[] for _ in shelf.kinds]
        for place, row in enumerate(shelf):
            for pair in _model_values(row):
                values[pair].append(place)
            for offer in row.offers:
                kinds[offer.kind].append(place)
        self.rows_of_kind = [bits_of(places, len(shelf)) for places in kinds]
        self.values: dict[str, dict[str, int]] = {group: {} for group in MODEL_GROUPS}
        for (group, value), places in values.items():
            self.values[group][value] = bits_of(places, len(shelf))

    def passing(self, group: str, chosen: Collection[str]) -> int:
        if not chosen:
            return self.everything
        masks = [self.values[group].get(value, 0) for value in chosen]
        return reduce(and_ if group == "good" else or_, masks)  # abilities add up


def _index_of(shelf: Shelf) -> _Index:
    if "index" not in shelf.kept:
        shelf.kept["index"] = _Index(shelf)
    index: _Index = shelf.kept["index"]
    return index


@dataclass(frozen=True, slots=True)
class _Tally:
    """What the filters of offers leave. `passing` says it of each kind."""

    matching: int
    passing: Sequence[bool]
    rows: Mapping[tuple[str, str], int]  # those that a value would leave, all models alike

    @classmethod
    def of(cls, index: _Index, filters: Filters) -> _Tally:
        matching = 0
        rows: dict[tuple[str, str], int] = defaultdict(int)
        passing = []
        for traits, here in zip(index.kinds, index.rows_of_kind, strict=True):
            fails = [one for one in OFFER_GROUPS if not _passes(traits, one, filters.of(one))]
            passing.append(not fails)
            if not fails:
                matching |= here
            # What fails two groups counts for neither.
            for group in () if len(fails) > 1 else fails or OFFER_GROUPS:
                for value in _offer_values(traits, group, filters.of(group)):
                    rows[group, value] |= here
        return cls(matching, passing, rows)


def _model_values(row: ModelRow) -> Iterator[tuple[str, str]]:
    yield "kind", row.modality
    yield "size", row.size
    yield "active", row.active_size
    yield "family", row.family
    for specialty in row.specialties:
        yield "good", specialty


def _passes(traits: Traits, group: str, chosen: Collection[str]) -> bool:
    if group == "now":
        return _is_now(traits, chosen)
    return not chosen or not set(chosen).isdisjoint(traits_of(traits, group))


def _offer_values(traits: Traits, group: str, chosen: Collection[str]) -> Iterable[str]:
    if group == "now":
        return [one for one in NOW if _is_now(traits, {*chosen, one})]
    return traits_of(traits, group)


def traits_of(traits: Traits, group: str) -> tuple[str, ...]:
    value: str | tuple[str, ...] = getattr(traits, group)
    return (value,) if isinstance(value, str) else value


def _is_now(traits: Traits, chosen: Collection[str]) -> bool:
    """What is retired shows only to who asks for it."""
    if traits.is_retired != ("retired" in chosen):
        return False
    return ("usable" not in chosen or traits.is_usable) and ("new" not in chosen or traits.is_new)


def _narrowed(row: ModelRow, passing: Sequence[bool]) -> ModelRow:
    offers = tuple([one for one in row.offers if passing[one.kind]])
    return row if len(offers) == len(row.offers) else replace(row, offers=offers)


Sortable = float | str | tuple[int, ...] | None


def _sorted(rows: list[ModelRow], sort: str) -> list[ModelRow]:
    """The rows come by name, and stay so where they are alike; what is unknown comes last."""
    key, is_descending = SORTS[sort.removeprefix("-")], sort.startswith("-")
    valued = [(key(row), row) for row in rows]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=itemgetter(0), reverse=is_descending)
    if sort == USUAL_ORDER:
        known.sort(key=lambda pair: not pair[1].chosen.is_pinned)
    return [row for _, row in known] + [row for value, row in valued if value is None]


def _limit(name: str) -> Callable[[ModelRow], Sortable]:
    def most(row: ModelRow) -> Sortable:
        return max((one.limits[name] for one in row.offers if name in one.limits), default=None)

    return most


def _measured_of(row: ModelRow) -> Iterator[Measured]:
    figures = measured()
    return (
        figures[name] for one in row.offers if (name := (one.provider, one.external_id)) in figures
    )


SORTS: dict[str, Callable[[ModelRow], Sortable]] = {
    "name": lambda row: row.name.casefold(),
    "family": lambda row: row.family or None,
    "provider": lambda row: row.offers[0].provider_name.casefold(),
    "size": lambda row: row.params_b,
    "active": lambda row: row.working_b,
    "context": lambda row: row.context_tokens,
    "output": lambda row: row.max_output_tokens,
    "since": lambda row: row.first_seen.timestamp(),
    "rpm": _limit("rpm"),
    "rpd": _limit("rpd"),
    "tpm": _limit("tpm"),
    "tpd": _limit("tpd"),
    "good": lambda row: len(row.specialties) or None,
    "first-token": lambda row: quickest(_measured_of(row)),
    "speed": lambda row: fastest(_measured_of(row)),
    "left": lambda _: None,  # only the engine knows: see `catalog.model_list.by_left`
    # What cannot chat is not what people come for, however many offer it.
    "offers": lambda row: (row.chats, row.usable_count, len(row.offers)),
}

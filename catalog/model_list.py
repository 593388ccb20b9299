"""Models as rows of the catalog's table: how their offers stand, and those of the open ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from catalog.live import Live, best_of, live_of
from catalog.models import Offer
from catalog.offers import OfferLine, State, in_trying_order, offer_lines, state_of, with_live
from catalog.rows import ModelRow, OfferRow

MOST_GLYPHS = 9
_SHAPES = ("full", "half", "hollow", "unknown")
_NOT_CALLABLE = State("unknown", "Cannot be called")


@dataclass(frozen=True, slots=True)
class ModelLine:
    """`states` are those of its offers, the best first; `lines` is empty unless it is open."""

    row: ModelRow
    states: Sequence[State]
    best: Live | None
    lines: Sequence[OfferLine]

    @property
    def shapes(self) -> list[str]:
        return [state.shape for state in self.states[:MOST_GLYPHS]]

    @property
    def not_drawn(self) -> int:
        return max(0, len(self.row.offers) - MOST_GLYPHS)

    @property
    def words(self) -> str:
        """“5 offers: answers 3, open 1, cannot be called 1”."""
        count = len(self.row.offers)
        words = Counter(state.word for state in self.states)
        told = ", ".join(f"{word.lower()} {number}" for word, number in words.items())
        return f"{count} offer{'' if count == 1 else 's'}: {told}"


def model_lines(rows: Sequence[ModelRow], opened: Collection[str]) -> list[ModelLine]:
    """The rows of one page, asked about in one trip to Redis."""
    asked = [offer for row in rows for offer in _shown(row, opened) if offer.is_usable]
    known = live_of({one.pk: (one.provider, one.external_id) for one in asked})
    lines = _opened_lines([row for row in rows if row.slug in opened], known)
    return [_line(row, known, lines.get(row.slug, [])) for row in rows]


def _shown(row: ModelRow, opened: Collection[str]) -> Sequence[OfferRow]:
    return row.offers if row.slug in opened else row.offers[:MOST_GLYPHS]


def _line(row: ModelRow, known: Mapping[int, Live], lines: list[OfferLine]) -> ModelLine:
    states = [_state(offer, known) for offer in row.offers]
    return ModelLine(
        row=row,
        states=sorted(states, key=lambda state: _SHAPES.index(state.shape)),
        best=best_of(known[one.pk] for one in row.offers if one.pk in known),
        lines=lines,
    )


def _state(offer: OfferRow, known: Mapping[int, Live]) -> State:
    return state_of(known.get(offer.pk)) if offer.is_usable else _NOT_CALLABLE


def _opened_lines(
    rows: Sequence[ModelRow], known: Mapping[int, Live]
) -> dict[str, list[OfferLine]]:
    """The offers of the rows that are open, by the model's slug."""
    pks = [offer.pk for row in rows for offer in row.offers]
    every = offer_lines(Offer.objects.filter(pk__in=pks)) if pks else []
    found = {line.offer.pk: line for line in with_live(every, known)}
    return {row.slug: in_trying_order([found[one.pk] for one in row.offers]) for row in rows}

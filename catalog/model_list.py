"""Models, or offers on their own, as rows of the catalog's table: how they stand and did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from catalog.live import Live, Look, best_of, look_at
from catalog.measured import Measured, fastest, measured, quickest
from catalog.models import Offer
from catalog.offers import (
    GONE,
    NOT_FREE,
    OfferLine,
    State,
    in_trying_order,
    kept_off,
    missing,
    offer_lines,
    refused,
    state_of,
    with_live,
)
from catalog.rows import ModelRow, OfferRow
from catalog.selection import Selection
from catalog.targets import counted_limits

MOST_GLYPHS = 9
MOST_ASKED = 500  # offers; asking the engine about so many takes a quarter of a second
_SHAPES = ("full", "half", "hollow", "unknown")


@dataclass(frozen=True, slots=True)
class ModelLine:
    """`states` are those of its offers, the best first; `lines` is empty unless it is open."""

    row: ModelRow
    states: Sequence[State]
    best: Live | None
    did: Sequence[Measured]
    lines: Sequence[tuple[OfferLine, Measured | None]]

    @property
    def shapes(self) -> list[str]:
        return [state.shape for state in self.states[:MOST_GLYPHS]]

    @property
    def not_drawn(self) -> int:
        return max(0, len(self.row.offers) - MOST_GLYPHS)

    @property
    def words(self) -> str:
        """“5 offers: answers 3, open 1, no key 1”."""
        count = len(self.row.offers)
        words = Counter(state.word for state in self.states)
        told = ", ".join(f"{word.lower()} {number}" for word, number in words.items())
        return f"{count} offer{'' if count == 1 else 's'}: {told}"

    @property
    def first_token_s(self) -> float | None:
        return quickest(self.did)

    @property
    def tokens_per_s(self) -> float | None:
        return fastest(self.did)

    @property
    def offer(self) -> OfferRow:
        """The one it stands for in the list by offer."""
        return self.row.offers[0]

    @property
    def state(self) -> State:
        return self.states[0]


def model_lines(rows: Sequence[ModelRow], selection: Selection) -> list[ModelLine]:
    """The rows of one page, asked about in one trip to Redis."""
    opened = selection.asked.opened
    shown = [offer for row in rows for offer in _shown(row, opened)]
    known = look_at(_looks(shown, selection))
    figures = measured()
    every = _opened_lines([row for row in rows if row.slug in opened], known, selection)
    lines = {
        slug: [
            (line, figures.get((line.offer.provider.slug, line.offer.external_id))) for line in of
        ]
        for slug, of in every.items()
    }
    return [_line(row, known, figures, lines.get(row.slug, []), selection) for row in rows]


def by_left(
    rows: Sequence[ModelRow], selection: Selection, *, is_descending: bool
) -> list[ModelRow] | None:
    """The rows by what is left of their best offer; None where too many would have to be asked.

    Those that no call can be sent to, or of which nothing is known, come last.
    """
    looks = _looks((offer for row in rows for offer in row.offers), selection)
    if len(looks) > MOST_ASKED:
        return None
    known = look_at(looks)
    bests = [best_of(known[one.pk] for one in row.offers if one.pk in known) for row in rows]
    left = [None if best is None else best.left for best in bests]
    places = [place for place, share in enumerate(left) if share is not None]
    places.sort(key=lambda place: left[place] or 0.0, reverse=is_descending)
    places += [place for place, share in enumerate(left) if share is None]
    return [rows[place] for place in places]


def _shown(row: ModelRow, opened: Collection[str]) -> Sequence[OfferRow]:
    return row.offers if row.slug in opened else row.offers[:MOST_GLYPHS]


def _looks(offers: Iterable[OfferRow], selection: Selection) -> dict[int, Look]:
    providers, keys = selection.shelf.providers, selection.usability.keys
    return {
        one.pk: Look(
            provider,
            one.external_id,
            counted_limits(one.limits, provider, one.pinned),
            keys.get(provider.pk, ()),
        )
        for one in offers
        if one.is_usable and (provider := providers[one.provider])
    }


def _line(
    row: ModelRow,
    known: Mapping[int, Live],
    figures: Mapping[tuple[str, str], Measured],
    lines: list[tuple[OfferLine, Measured | None]],
    selection: Selection,
) -> ModelLine:
    states = [_state(offer, known, selection) for offer in row.offers]
    names = [(one.provider, one.external_id) for one in row.offers]
    return ModelLine(
        row=row,
        states=sorted(states, key=lambda state: _SHAPES.index(state.shape)),
        best=best_of(known[one.pk] for one in row.offers if one.pk in known),
        did=[figures[name] for name in names if name in figures],
        lines=lines,
    )


def _state(offer: OfferRow, known: Mapping[int, Live], selection: Selection) -> State:
    if offer.is_usable:
        return state_of(known.get(offer.pk))
    if offer.is_retired or offer.chosen.is_free is False:
        return GONE if offer.is_retired else NOT_FREE
    if offer.refused_since is not None and offer.missing_since is None:
        return refused(offer.refused_since)
    obstacle = selection.usability.obstacles[selection.shelf.providers[offer.provider].pk]
    return missing(offer.missing_since) if obstacle is None else kept_off(obstacle)


def _opened_lines(
    rows: Sequence[ModelRow], known: Mapping[int, Live], selection: Selection
) -> dict[str, list[OfferLine]]:
    """The offers of the rows that are open, by the model's slug."""
    pks = [offer.pk for row in rows for offer in row.offers]
    if not pks:
        return {}
    every = offer_lines(Offer.objects.filter(pk__in=pks), selection.usability.obstacles)
    found = {line.offer.pk: line for line in with_live(every, known)}
    return {row.slug: in_trying_order([found[one.pk] for one in row.offers]) for row in rows}

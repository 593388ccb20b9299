"""Rank offers for a task, and say why. Pure: values in, values out, the same for the same.

Only those able to do it are ranked: a chat model, room for prompt and answer, limits that let one
such call pass. The rest is `catalog.scoring`. An offer that would be refused now ranks after
every offer that would not. More quota left, all else equal, never ranks lower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from catalog.candidates import NOTHING_KNOWN, Candidate, Pool, Standing
from catalog.complexity import Needs
from catalog.reasons import Reason, reasons_for
from catalog.scoring import Band, Scale, band_for
from gateway.policy import RankingPolicy


@dataclass(frozen=True, slots=True)
class Parts:
    """What a score is made of, each 0 to 100."""

    fit: int
    speed: int
    left: int
    health: int


class Basis(NamedTuple):
    """What a candidate was judged by."""

    needs: Needs
    band: Band
    standing: Standing


@dataclass(frozen=True, slots=True)
class Recommendation:
    candidate: Candidate
    score: int  # 0 to 100
    parts: Parts
    predicted_s: float
    is_refusing: bool
    basis: Basis

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Worded only for those that are shown."""
        return reasons_for(self.candidate, *self.basis, self.predicted_s)


class Ranking:
    """Every candidate that can do it, best first.

    Hundreds are ranked for every few words typed and three are shown, so a recommendation is
    written out when it is looked at.
    """

    def __init__(
        self,
        needs: Needs,
        pool: Pool,
        standings: Mapping[int, Standing],
        policy: RankingPolicy,
    ) -> None:
        able = pool.able(needs)
        self.needs = needs
        self.band = band_for(needs, able)
        self._standings = standings
        self._scale = Scale(needs, self.band, pool, policy.weights(needs.complexity))
        self._entries = self._scale.sorted(able, standings)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, place: int) -> Recommendation:
        entry = self._entries[place]
        standing = self._standings.get(entry.offer_id, NOTHING_KNOWN)
        found = self._scale.score(entry, standing)
        return Recommendation(
            candidate=entry.candidate,
            score=round(found.total),
            parts=Parts(
                round(found.fit), round(found.speed), round(found.left), round(found.health)
            ),
            predicted_s=found.predicted_s,
            is_refusing=standing.refuses,
            basis=Basis(self.needs, self.band, standing),
        )

    def __iter__(self) -> Iterator[Recommendation]:
        return (self[place] for place in range(len(self)))

    @property
    def candidates(self) -> list[Candidate]:
        return [one.candidate for one in self._entries]

    def place_of(self, offer_id: int | None) -> int | None:
        places = (place for place, one in enumerate(self._entries) if one.offer_id == offer_id)
        return next(places, None)

    def refuses(self, place: int) -> bool:
        offer_id = self._entries[place].offer_id
        return self._standings.get(offer_id, NOTHING_KNOWN).refuses


def recommend(
    needs: Needs,
    pool: Pool,
    standings: Mapping[int, Standing],
    policy: RankingPolicy = RankingPolicy(),  # noqa: B008 - frozen
) -> Ranking:
    """`standings` by offer id; who is not in there is judged by what is published."""
    return Ranking(needs, pool, standings, policy)


def picks(ranking: Ranking, count: int = 3, *, without_model: str = "") -> list[Recommendation]:
    """The best offers of different models; one model twice only where there is no other.

    `without_model` is the name of a model that is not wanted.
    """
    first: dict[str, int] = {}
    others: list[int] = []
    for place, one in enumerate(ranking.candidates):
        if one.model_name == without_model:
            continue
        if first.setdefault(one.model_slug, place) != place:
            others.append(place)
        if len(first) == count:
            break
    places = [*first.values(), *others][:count]
    return [ranking[place] for place in places]


def with_fallbacks(ranking: Ranking, offer_id: int, limit: int = 6) -> list[Recommendation]:
    """The offer to try first, then who may stand in: other offers of its model, then the rest."""
    chosen = ranking.place_of(offer_id)
    if chosen is None:
        return [ranking[place] for place in range(min(limit, len(ranking)))]
    models = [one.model_slug for one in ranking.candidates]
    same = {place for place, model in enumerate(models) if model == models[chosen]}
    best = set(islice(range(len(ranking)), limit))
    others = sorted(
        (same | best) - {chosen},
        key=lambda place: (ranking.refuses(place), place not in same, place),
    )
    return [ranking[place] for place in [chosen, *others][:limit]]

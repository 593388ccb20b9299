"""What an offer is worth for a task, in figures: its fit, speed, quota left and health.

Fit is its size against the band that the complexity asks for, and its specialties against the
skills the task asks for. A task that wants a skill widens the band until a model with that skill
is inside. Speed, quota and health are measured where something was measured, else a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from catalog.candidates import NOTHING_KNOWN, Entry, Pool, Shape, Standing
from catalog.complexity import Complexity, Needs
from gateway.policy import Weights


@dataclass(frozen=True, slots=True)
class Band:
    """Sizes in billions of parameters. `low`, `high` may be wider than what suits at best."""

    best_low: float
    best_high: float
    low: float
    high: float

    @property
    def is_widened(self) -> bool:
        return (self.low, self.high) != (self.best_low, self.best_high)


class Score(NamedTuple):
    """`total` and the parts it is made of, each 0 to 100 and not yet rounded."""

    total: float
    fit: float
    speed: float
    left: float
    health: float
    predicted_s: float


_BANDS = {
    Complexity.SIMPLE: (6.0, 32.0),
    Complexity.MEDIUM: (12.0, 90.0),
    Complexity.HARD: (60.0, 2_000.0),
}
_WIDENINGS = 12  # twelve octaves reach from any band to any model

_UNKNOWN_SIZE_FIT = 60.0
_REFUSING = 101 * 101  # more than any score and fit can lose
_USUAL_PARAMS_B = 30.0  # where nothing is published, for a guess of its speed


class Scale:
    """Scores offers for one task; what many offers share is worked out once."""

    def __init__(self, needs: Needs, band: Band, pool: Pool, weights: Weights) -> None:
        self._needs = needs
        self._pool = pool
        self._weights = weights
        self._fits = _fits(pool.shapes, needs.skills, band)
        guesses = _guesses(pool.shapes, _coarse(needs.prompt_tokens), needs.answer_tokens)
        self._table = _table(self._fits, guesses, self._weights)

    def score(self, entry: Entry, standing: Standing) -> Score:
        size = entry.candidate.speed_params_b
        predicted_s = predict_s(size, self._needs, standing)
        fit, speed = self._fits[entry.shape], speed_score(predicted_s)
        left, health = standing.left_score, standing.health_score
        by_fit, by_speed, by_left, by_health = self._weights
        total = by_fit * fit + by_speed * speed + (by_left * left + by_health * health)
        return Score(total, fit, speed, left, health, predicted_s)

    def sorted(self, able: Sequence[Entry], standings: Mapping[int, Standing]) -> list[Entry]:
        """Who refuses goes last; then by total, fit and place in the pool.

        This runs over hundreds of offers for every few words typed: each gets one number to be
        sorted by, and the same number as all of its shape where nothing is known of it.
        """
        _, by_speed, by_left, by_health = self._weights
        fits, speeds, worst, plain = self._table
        keys: list[int] = []
        keep, count = keys.append, len(self._pool)
        for place, offer_id, shape, _, _, candidate in able:
            if offer_id not in standings:
                keep(plain[shape] * count + place)
                continue
            standing, speed = standings[offer_id], speeds[shape]
            if standing.is_timed:
                predicted_s = predict_s(candidate.speed_params_b, self._needs, standing)
                speed = by_speed * speed_score(predicted_s)
            worth = by_left * standing.left_score + by_health * standing.health_score
            lost = worst[shape] - 101 * round(fits[shape] + speed + worth)
            keep((lost + _REFUSING * standing.refuses) * count + place)
        keys.sort()
        return [self._pool.entries[key % count] for key in keys]


class _Table(NamedTuple):
    """For each shape: its weighted fit and speed, and what it loses of the best order.

    `worst` is with a score of 0, `plain` with that of an offer nothing is known of.
    """

    fits: list[float]
    speeds: list[float]
    worst: list[int]
    plain: list[int]


@lru_cache(maxsize=256)
def _table(
    fits: tuple[float, ...], guesses: tuple[float, ...], weights: tuple[float, ...]
) -> _Table:
    by_fit, by_speed, by_left, by_health = weights
    weighed = [by_fit * fit for fit in fits]
    speeds = [by_speed * speed for speed in guesses]
    worth = by_left * NOTHING_KNOWN.left_score + by_health * NOTHING_KNOWN.health_score
    worst = [101 * 100 + 100 - round(fit) for fit in fits]
    plain = [
        lost - 101 * round(fit + speed + worth)
        for fit, speed, lost in zip(weighed, speeds, worst, strict=True)
    ]
    return _Table(weighed, speeds, worst, plain)


def band_for(needs: Needs, able: Sequence[Entry]) -> Band:
    """The sizes that suit, widened on both sides until somebody with the first skill is inside.

    A size or skill that nobody able has widens nothing.
    """
    best_low, best_high = _BANDS[needs.complexity]
    sizes = _sizes_with(needs.skills[0], able) if needs.skills else set()
    low, high = best_low, best_high
    for _ in range(_WIDENINGS):
        if not sizes or any(low <= size <= high for size in sizes):
            break
        low, high = low / 2, high * 2
    return Band(best_low, best_high, low, high)


def _sizes_with(skill: str, able: Sequence[Entry]) -> set[float]:
    candidates = [one.candidate for one in able]
    return {
        one.params_b for one in candidates if one.params_b is not None and skill in one.specialties
    }


@lru_cache(maxsize=256)
def _fits(shapes: tuple[Shape, ...], skills: tuple[str, ...], band: Band) -> tuple[float, ...]:
    """The fit of each shape; prompts differ, but ask for one of a few dozen things."""
    share = 0.5 if skills else 0.25
    return tuple(
        (1 - share) * size_fit(one.params_b, band) + share * _skill_fit(one.specialties, skills)
        for one in shapes
    )


def size_fit(params_b: float | None, band: Band) -> float:
    """Too small loses ability by the octave, too large only wastes; unknown is in between."""
    if params_b is None:
        return _UNKNOWN_SIZE_FIT
    if band.best_low <= params_b <= band.best_high:
        return 100.0
    octaves_below = math.log2(band.best_low / params_b) if params_b < band.best_low else 0.0
    octaves_above = math.log2(params_b / band.best_high) if params_b > band.best_high else 0.0
    outside = max(10.0, 90.0 - 22.0 * octaves_below - 8.0 * octaves_above)
    return max(85.0, outside) if band.low <= params_b <= band.high else outside


def _skill_fit(had: frozenset[str], skills: tuple[str, ...]) -> float:
    if not skills:
        return 70.0 if _is_specialist(had) else 90.0
    if skills[0] in had:
        others = skills[1:]
        count = sum(skill in had for skill in others)
        return 90.0 + 10.0 * (count / len(others) if others else 1.0)
    return 60.0 if had.intersection(skills) else 40.0


def _is_specialist(had: frozenset[str]) -> bool:
    """A coder or a translator answers a plain question, but was made for something else."""
    return "translation" in had or ("code" in had and "reasoning" not in had)


@lru_cache(maxsize=256)
def _guesses(
    shapes: tuple[Shape, ...], prompt_tokens: int, answer_tokens: int
) -> tuple[float, ...]:
    """The speed of each shape where nothing was measured."""
    sizes = {one.speed_params_b for one in shapes}
    guess_of = {
        size: speed_score(_predict_s(size, prompt_tokens, answer_tokens, None, None))
        for size in sizes
    }
    return tuple(guess_of[one.speed_params_b] for one in shapes)


def predict_s(size: float | None, needs: Needs, standing: Standing) -> float:
    """Seconds to the end of the answer, from what was measured or guessed from the size."""
    first_token_s, tokens_per_s = standing.first_token_s, standing.tokens_per_s
    prompt_tokens = _coarse(needs.prompt_tokens)
    return _predict_s(size, prompt_tokens, needs.answer_tokens, first_token_s, tokens_per_s)


def _predict_s(
    size: float | None,
    prompt_tokens: int,
    answer_tokens: int,
    first_token_s: float | None,
    tokens_per_s: float | None,
) -> float:
    size = size or _USUAL_PARAMS_B
    if first_token_s is None:
        first_token_s = 0.3 + prompt_tokens / 8_000 + size / 400
    tokens_per_s = tokens_per_s or 240 / math.sqrt(max(size, 0.5))
    return first_token_s + answer_tokens / max(tokens_per_s, 0.1)


def _coarse(tokens: int) -> int:
    """To whole hundreds: enough for a guess, and then most prompts share one."""
    return round(tokens, -2)


def speed_score(predicted_s: float) -> float:
    """100 up to half a second; each doubling costs 13."""
    return min(100.0, max(0.0, 100.0 - 13.0 * math.log2(max(predicted_s, 0.5) / 0.5)))

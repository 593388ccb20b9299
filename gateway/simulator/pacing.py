"""When each token is due.

Drawn per provider and request number, never from a shared generator, so that concurrency cannot
change it.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from gateway.simulator.scenario import Fault, FaultKind, SimModel, SimProvider

_SPREAD = 4.0  # no draw is more than this many times slower or faster


@dataclass(frozen=True, slots=True)
class Pace:
    first_token_s: float
    tokens_per_s: float

    def due_s(self, token_no: int) -> float:
        """Seconds after the request's arrival at which a token (from 0) is due."""
        return self.first_token_s + token_no / self.tokens_per_s


def dice_for(seed: int, slug: str, request_no: int, purpose: str) -> random.Random:
    """A generator of its own for each purpose of each request."""
    return random.Random(f"{seed}/{slug}/{request_no}/{purpose}")  # noqa: S311 - a simulation


def draw_pace(
    seed: int, provider: SimProvider, model: SimModel, request_no: int, fault: Fault | None
) -> Pace:
    dice = dice_for(seed, provider.slug, request_no, "pace")
    first_s = _or(model.first_token_s, provider.first_token_s) * _wobble(dice, provider.jitter)
    rate = _or(model.tokens_per_s, provider.tokens_per_s) * _wobble(dice, provider.jitter)
    if fault is not None and fault.kind is FaultKind.SLOW:
        first_s = _or(fault.first_token_s, first_s)
        rate = _or(fault.tokens_per_s, rate)
    return Pace(first_s, rate)


def _wobble(dice: random.Random, jitter: float) -> float:
    factor = math.exp(dice.gauss(0.0, jitter)) if jitter else 1.0
    return min(_SPREAD, max(1 / _SPREAD, factor))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value

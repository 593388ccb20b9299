"""Simulated models whose speed and adequacy follow size and specialty.

The rules are stated here and nowhere in the product, which must do well without knowing them: a
model answers a prompt adequately when its strength reaches the prompt's demand. Demands are drawn
around the middle of the prompt's kind; nobody who decides sees them.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from catalog.candidates import Candidate
from gateway.simulator.workload import Prompt, Task

# The middle of the demands of a kind, in billions of parameters, and the specialty that helps.
_DEMANDS: dict[Task, float] = {
    "chat": 1.5,
    "translation": 2.0,
    "summary": 2.5,
    "writing": 3.0,
    "code": 10.0,
    "reasoning": 12.0,
}
_HELPS: dict[Task, str] = {
    "code": "code",
    "reasoning": "reasoning",
    "translation": "translation",
}
_HELP = 3.0  # a specialist does what a model three times its size does
_SPREAD = 0.5  # of the demands: two thirds lie within a factor of e^0.5 of the middle
_UNKNOWN_B = 8.0  # what a model of unknown size is in truth
_USED = 0.6  # of the tokens an answer may have


@dataclass(frozen=True, slots=True)
class Demand:
    prompt: Prompt
    params_b: float


def demand(prompt: Prompt, dice: random.Random) -> Demand:
    return Demand(prompt, _DEMANDS[prompt.task] * math.exp(dice.gauss(0.0, _SPREAD)))


def is_adequate(model: Candidate, demand: Demand) -> bool:
    strength = model.params_b or _UNKNOWN_B
    if _HELPS.get(demand.prompt.task) in model.specialties:
        strength *= _HELP
    return strength >= demand.params_b


def answer_s(model: Candidate, demand: Demand) -> float:
    """Seconds to the last token: large models begin later, and speak slower."""
    size = model.active_params_b or model.params_b or _UNKNOWN_B
    tokens = demand.prompt.max_tokens * _USED
    return 0.1 + size / 300 + tokens * math.sqrt(size) / 300

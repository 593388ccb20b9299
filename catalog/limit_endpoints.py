"""Addresses at which a provider tells a key's limits for nothing, and how their answers are read.

Pure. A provider's `limit_probe` names one of them, or "answer" where a call's headers tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class LimitEndpoint:
    path: str  # below the provider's base address
    read: Callable[[Any], dict[str, int]]  # amounts by the limit's name; {} where it says none


def _openrouter(answer: Any) -> dict[str, int]:
    """Who has bought credits has 1,000 free requests a day, others 50.

    By the survey behind the mapping (docs/providers.md). It asks for ten dollars, which the answer
    does not tell: whoever paid less is believed until the first refusal.
    """
    data = answer.get("data") if isinstance(answer, Mapping) else None
    is_free_tier = data.get("is_free_tier") if isinstance(data, Mapping) else None
    if not isinstance(is_free_tier, bool):
        return {}
    return {"rpd": 50 if is_free_tier else 1_000}


ENDPOINTS: dict[str, LimitEndpoint] = {"openrouter-key": LimitEndpoint("/key", _openrouter)}
KINDS = frozenset({"", ANSWER, *ENDPOINTS})

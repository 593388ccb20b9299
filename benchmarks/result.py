"""What a benchmark says, for people, for scripts and for `docs/benchmarks.md`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Sign = Literal["≤", "≥", "="]

_HOLDS: Mapping[Sign, Callable[[float, float], bool]] = {
    "≤": operator.le,
    "≥": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure that was measured and what it must be; `unit` stands behind both."""

    what: str
    measured: float
    sign: Sign
    bound: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        return _HOLDS[self.sign](self.measured, self.bound)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        verdict = "" if self.holds else "  MISSED"
        return f"{self.what}: {self.measured:.4g}{unit} ({self.sign} {self.bound:g}{unit}){verdict}"


@dataclass(frozen=True, slots=True)
class Result:
    """`baseline` and `ours` in `unit`, from one run.

    `limit` is what no program could beat, None where there is no such figure; `article` is what
    the article that started this project claims, in its own words.
    """

    name: str
    unit: str
    baseline: float
    ours: float
    limit: float | None = None
    article: str = ""
    claims: tuple[Claim, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missed(self) -> tuple[str, ...]:
        return tuple(str(claim) for claim in self.claims if not claim.holds)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "baseline": self.baseline,
            "ours": self.ours,
            "limit": self.limit,
            "article": self.article,
            "details": {**self.details, "claims": [str(claim) for claim in self.claims]},
        }

    def lines(self) -> list[str]:
        limit = "" if self.limit is None else f", limit {self.limit:.4g}"
        article = f"; article: {self.article}" if self.article else ""
        figures = f"baseline {self.baseline:.4g}, ours {self.ours:.4g}{limit} {self.unit}"
        return [
            f"{self.name}: {figures}{article}",
            *(f"  {claim}" for claim in self.claims),
            *(f"  {name}: {value}" for name, value in self.details.items()),
        ]

"""What a benchmark says, for people and for `docs/benchmarks.md`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """`baseline` and `ours` in `unit`, from one run; `bound` is the most `ours` may be.

    `missed` names bounds of the details that were missed.
    """

    name: str
    unit: str
    baseline: float
    ours: float
    bound: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    missed: tuple[str, ...] = ()

    @property
    def is_within_bound(self) -> bool:
        return not self.missed and (self.bound is None or self.ours <= self.bound)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        verdict = "" if self.bound is None else f"  bound {self.bound:g}"
        missed = "" if self.is_within_bound else "  MISSED"
        head = (
            f"{self.name}: baseline {self.baseline:.3g} {self.unit}, "
            f"ours {self.ours:.3g} {self.unit}{verdict}{missed}"
        )
        details = [f"  {name}: {value}" for name, value in self.details.items()]
        return [head, *details, *(f"  MISSED: {name}" for name in self.missed)]

"""What the recommendation weighs; read by the catalog, carried to every process with the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from gateway.policy.fields import Group, Reach, tunable


class Weights(NamedTuple):
    """Shares of a score, which sum up to 1."""

    fit: float
    speed: float
    left: float
    health: float


_PARTS = {
    "fit": "the model's size and specialties fit the task",
    "speed": "the answer is expected soon",
    "left": "much of the quota is left",
    "health": "it has answered well lately",
}


def _weight(default: int, task: str, part: str) -> Any:
    return tunable(
        default, unit="points", minimum=0, maximum=100,
        label=f"{task.capitalize()} tasks: {part}", reach=Reach.EVERYTHING,
        help=f"How much it counts for {task} tasks that {_PARTS[part]}.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RankingPolicy(Group):
    """Only the proportions of the points count. A hard task can wait, a simple one should not."""

    TITLE: ClassVar[str] = "Recommendation"

    simple_fit: int = _weight(40, "simple", "fit")
    simple_speed: int = _weight(30, "simple", "speed")
    simple_left: int = _weight(18, "simple", "left")
    simple_health: int = _weight(12, "simple", "health")
    medium_fit: int = _weight(48, "medium", "fit")
    medium_speed: int = _weight(20, "medium", "speed")
    medium_left: int = _weight(18, "medium", "left")
    medium_health: int = _weight(14, "medium", "health")
    hard_fit: int = _weight(58, "hard", "fit")
    hard_speed: int = _weight(10, "hard", "speed")
    hard_left: int = _weight(18, "hard", "left")
    hard_health: int = _weight(14, "hard", "health")

    def weights(self, complexity: str) -> Weights:
        points = [getattr(self, f"{complexity}_{part}") for part in _PARTS]
        return Weights(*(one / max(1, sum(points)) for one in points))

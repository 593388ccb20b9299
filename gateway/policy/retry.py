"""How often, and how soon, a call is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class RetryPolicy(Group):
    max_attempts: int = tunable(
        2, unit="attempts", minimum=1, maximum=10,
        help="Attempts at one target before the next is tried.",
    )  # fmt: skip
    base_s: float = tunable(
        0.25, unit="s", minimum=0.001, maximum=60,
        help="Upper bound of the first pause; doubled each time, the pause is drawn below it.",
    )  # fmt: skip
    cap_s: float = tunable(
        4.0, unit="s", minimum=0.001, maximum=300,
        help="Upper bound of every pause. A longer Retry-After moves on to the next target.",
    )  # fmt: skip
    max_targets: int = tunable(
        8, unit="targets", minimum=1, maximum=100,
        help="Targets tried for one call.",
    )  # fmt: skip

"""How often, and how soon, a call is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.policy.fields import YES_OR_NO, Group, Reach, tunable


@dataclass(frozen=True, slots=True)
class RetryPolicy(Group):
    TITLE: ClassVar[str] = "Retries and fallback"

    max_attempts: int = tunable(
        2, unit="attempts", minimum=1, maximum=10,
        label="Attempts at one target",
        help="Attempts at one target before the next is tried.",
    )  # fmt: skip
    base_s: float = tunable(
        0.25, unit="s", minimum=0.001, maximum=60,
        label="First pause",
        help="Upper bound of the first pause; doubled each time, the pause is drawn below it.",
    )  # fmt: skip
    cap_s: float = tunable(
        4.0, unit="s", minimum=0.001, maximum=300,
        label="Longest pause",
        help="Upper bound of every pause. A longer Retry-After moves on to the next target.",
    )  # fmt: skip
    max_targets: int = tunable(
        8, unit="targets", minimum=1, maximum=100,
        label="Targets tried for one call", reach=Reach.EVERYTHING,
        help="Targets tried for one call.",
    )  # fmt: skip
    budget_ratio: float = tunable(
        0.5, unit="fraction", minimum=0, maximum=10,
        label="Retry budget", reach=Reach.PROVIDER,
        help="Second attempts at a provider, for each first one: so retries never multiply "
        "an outage.",
    )  # fmt: skip
    budget_burst: int = tunable(
        20, unit="attempts", minimum=0, maximum=100_000,
        label="Retries saved up", reach=Reach.PROVIDER,
        help="Second attempts at a provider that may be saved up.",
    )  # fmt: skip
    hedging: int = tunable(
        0, unit=YES_OR_NO, minimum=0, maximum=1,
        label="Hedging",
        help="Whether a call that takes longer than 95 of 100 is also sent to the next target (1).",
    )  # fmt: skip
    hedge_min_s: float = tunable(
        1.0, unit="s", minimum=0.01, maximum=600,
        label="No hedge before",
        help="No second target is asked sooner than this.",
    )  # fmt: skip

"""When a breaker opens, and how it closes again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.policy.fields import Group, Reach, tunable


@dataclass(frozen=True, slots=True)
class BreakerPolicy(Group):
    TITLE: ClassVar[str] = "Breaker"

    window_s: float = tunable(
        60.0, unit="s", minimum=1, maximum=3600,
        label="Window",
        help="Calls are counted over this sliding window.",
    )  # fmt: skip
    window_calls: int = tunable(
        200, unit="calls", minimum=1, maximum=1_000_000,
        label="Most calls in the window",
        help="The window ends where it holds this many calls: of a busy offer only the last count.",
    )  # fmt: skip
    offer_min_calls: int = tunable(
        5, unit="calls", minimum=1, maximum=1000,
        label="Offer: failures at the soonest",
        help="An offer's breaker opens after this many failures at the soonest.",
    )  # fmt: skip
    # A network that loses four of ten calls must seldom seem dead: whoever is left bears the rest.
    offer_failure_rate: float = tunable(
        0.6, unit="fraction", minimum=0.01, maximum=1,
        label="Offer: opens at failures of",
        help="And of the calls beyond those, at this share of failures.",
    )  # fmt: skip
    provider_min_calls: int = tunable(
        12, unit="calls", minimum=1, maximum=1000,
        label="Provider: failures at the soonest", reach=Reach.PROVIDER,
        help="A provider's breaker opens after this many failures at the soonest; more than an "
        "offer's, so that one failing model opens its own breaker and not its provider's.",
    )  # fmt: skip
    provider_failure_rate: float = tunable(
        0.8, unit="fraction", minimum=0.01, maximum=1,
        label="Provider: opens at failures of", reach=Reach.PROVIDER,
        help="And of the calls beyond those, at this share of failures.",
    )  # fmt: skip
    slow_call_s: float = tunable(
        45.0, unit="s", minimum=0.01, maximum=3600,
        label="An answer is slow after",
        help="An answer is slow when its first token, or an unstreamed answer, takes longer.",
    )  # fmt: skip
    slow_rate: float = tunable(
        0.9, unit="fraction", minimum=0.01, maximum=1,
        label="Opens at slow answers of",
        help="A breaker also opens at this share of slow answers.",
    )  # fmt: skip
    cooldown_s: float = tunable(
        5.0, unit="s", minimum=0.1, maximum=3600,
        label="First cool-down",
        help="First rest of an open breaker; doubled each time a probe fails.",
    )  # fmt: skip
    max_cooldown_s: float = tunable(
        600.0, unit="s", minimum=0.1, maximum=86_400,
        label="Longest cool-down",
        help="Longest rest of an open breaker.",
    )  # fmt: skip
    probes: int = tunable(
        1, unit="calls", minimum=1, maximum=20,
        label="Probes at once",
        help="Half-open: calls let through at the same time, all processes together.",
    )  # fmt: skip
    probe_ttl_s: float = tunable(
        180.0, unit="s", minimum=1, maximum=3600,
        label="A lost probe is given back after",
        help="A probe whose process died is given back after this time.",
    )  # fmt: skip

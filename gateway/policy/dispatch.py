"""How many calls run, and how many wait."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class DispatchPolicy(Group):
    provider_concurrency: int = tunable(
        32, unit="calls", minimum=1, maximum=10_000,
        help="Calls one process has running at one provider.",
    )  # fmt: skip
    queue_length: int = tunable(
        1000, unit="calls", minimum=0, maximum=1_000_000,
        help="Calls one process lets wait for one provider.",
    )  # fmt: skip

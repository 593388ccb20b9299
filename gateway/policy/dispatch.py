"""How many calls run, and how many wait for how long."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class DispatchPolicy(Group):
    provider_concurrency: int = tunable(
        32, unit="calls", minimum=1, maximum=10_000,
        help="Calls one process has running at one provider, at most.",
    )  # fmt: skip
    least_concurrency: int = tunable(
        2, unit="calls", minimum=1, maximum=10_000,
        help="Refusals and growing latency lower their number to this, at least.",
    )  # fmt: skip
    latency_tolerance: float = tunable(
        2.0, unit="times", minimum=1, maximum=20,
        help="Answers may come so many times later than usual before fewer calls run at once.",
    )  # fmt: skip
    queue_length: int = tunable(
        1000, unit="calls", minimum=0, maximum=1_000_000,
        help="Calls one process lets wait for one provider.",
    )  # fmt: skip
    queue_wait_s: float = tunable(
        60.0, unit="s", minimum=0, maximum=3600,
        help="Longest wait for a place at one provider.",
    )  # fmt: skip
    ageing_s: float = tunable(
        10.0, unit="s", minimum=0.1, maximum=3600,
        help="A waiting call goes before one of the next higher priority that came so much later.",
    )  # fmt: skip

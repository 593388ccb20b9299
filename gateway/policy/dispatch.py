"""How many calls run, and how many wait for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.policy.fields import Group, Reach, tunable


@dataclass(frozen=True, slots=True)
class DispatchPolicy(Group):
    TITLE: ClassVar[str] = "Dispatch"

    provider_concurrency: int = tunable(
        32, unit="calls", minimum=1, maximum=10_000,
        label="Calls at once at a provider", reach=Reach.PROVIDER,
        help="Calls one process has running at one provider, at most.",
    )  # fmt: skip
    least_concurrency: int = tunable(
        2, unit="calls", minimum=1, maximum=10_000,
        label="Calls at once, at least", reach=Reach.PROVIDER,
        help="Refusals and growing latency lower their number to this, at least.",
    )  # fmt: skip
    latency_tolerance: float = tunable(
        2.0, unit="times", minimum=1, maximum=20,
        label="Latency borne", reach=Reach.PROVIDER,
        help="Answers may come so many times later than usual before fewer calls run at once.",
    )  # fmt: skip
    queue_length: int = tunable(
        1000, unit="calls", minimum=0, maximum=1_000_000,
        label="Queue at a provider", reach=Reach.PROVIDER,
        help="Calls one process lets wait for one provider.",
    )  # fmt: skip
    queue_wait_s: float = tunable(
        60.0, unit="s", minimum=0, maximum=3600,
        label="Longest wait in the queue", reach=Reach.PROVIDER,
        help="Longest wait for a place at one provider.",
    )  # fmt: skip
    ageing_s: float = tunable(
        10.0, unit="s", minimum=0.1, maximum=3600,
        label="Ageing", reach=Reach.PROVIDER,
        help="A waiting call goes before one of the next higher priority that came so much later.",
    )  # fmt: skip

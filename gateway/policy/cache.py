"""What is kept, where, how long and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class CachePolicy(Group):
    memory_bytes: int = tunable(
        16_000_000, unit="bytes", minimum=0, maximum=4_000_000_000,
        help="Size of each process' own tier.",
    )  # fmt: skip
    memory_ttl_s: float = tunable(
        300.0, unit="s", minimum=0, maximum=86_400,
        help="How long an answer stays in a process' own tier.",
    )  # fmt: skip
    redis_ttl_s: float = tunable(
        86_400.0, unit="s", minimum=1, maximum=30 * 86_400,
        help="How long an answer stays in Redis.",
    )  # fmt: skip
    max_entry_bytes: int = tunable(
        512_000, unit="bytes", minimum=1, maximum=16_000_000,
        help="Longer answers are not kept.",
    )  # fmt: skip
    flight_ttl_s: float = tunable(
        10.0, unit="s", minimum=1, maximum=600,
        help="A single-flight lock whose process died is given back after this time.",
    )  # fmt: skip

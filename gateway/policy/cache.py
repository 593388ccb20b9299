"""How much is kept, and how equal calls share one answer."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class CachePolicy(Group):
    memory_bytes: int = tunable(
        16_000_000, unit="bytes", minimum=0, maximum=4_000_000_000,
        help="Size of each process' own tier.",
    )  # fmt: skip
    disk_bytes: int = tunable(
        256_000_000, unit="bytes", minimum=0, maximum=1_000_000_000_000,
        help="Size of the tier on each machine's disk; 0: none.",
    )  # fmt: skip
    max_entry_bytes: int = tunable(
        2_000_000, unit="bytes", minimum=1, maximum=16_000_000,
        help="What is longer is not kept.",
    )  # fmt: skip
    negative_ttl_s: float = tunable(
        30.0, unit="s", minimum=0, maximum=3600,
        help="How long it is believed that something is not there.",
    )  # fmt: skip
    shares_between_owners: int = tunable(
        0, unit="yes or no", minimum=0, maximum=1,
        help="Whether one person's kept answer may be given to another (1) or never (0).",
    )  # fmt: skip
    flight_ttl_s: float = tunable(
        10.0, unit="s", minimum=1, maximum=600,
        help="A single-flight lock whose process died is given back after this time.",
    )  # fmt: skip
    flight_wait_s: float = tunable(
        60.0, unit="s", minimum=0, maximum=600,
        help="A call waits this long for an equal one under way, then it asks by itself.",
    )  # fmt: skip

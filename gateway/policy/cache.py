"""How much is kept, and how equal calls share one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.policy.fields import YES_OR_NO, Group, Reach, tunable


@dataclass(frozen=True, slots=True)
class CachePolicy(Group):
    TITLE: ClassVar[str] = "Cache"

    memory_bytes: int = tunable(
        16_000_000, unit="bytes", minimum=0, maximum=4_000_000_000,
        label="Memory of each process", reach=Reach.EVERYTHING,
        help="Size of each process' own tier.",
    )  # fmt: skip
    disk_bytes: int = tunable(
        256_000_000, unit="bytes", minimum=0, maximum=1_000_000_000_000,
        label="Disk of each machine", reach=Reach.EVERYTHING,
        help="Size of the tier on each machine's disk; 0: none.",
    )  # fmt: skip
    max_entry_bytes: int = tunable(
        2_000_000, unit="bytes", minimum=1, maximum=16_000_000,
        label="Largest entry",
        help="What is longer is not kept.",
    )  # fmt: skip
    negative_ttl_s: float = tunable(
        30.0, unit="s", minimum=0, maximum=3600,
        label="Not there is believed for", reach=Reach.EVERYTHING,
        help="How long it is believed that something is not there.",
    )  # fmt: skip
    shares_between_owners: int = tunable(
        0, unit=YES_OR_NO, minimum=0, maximum=1,
        label="Share answers between people", reach=Reach.EVERYTHING,
        help="Whether one person's kept answer may be given to another (1) or never (0).",
    )  # fmt: skip
    flight_ttl_s: float = tunable(
        10.0, unit="s", minimum=1, maximum=600,
        label="Single flight: a lost lock ends after", reach=Reach.EVERYTHING,
        help="A single-flight lock whose process died is given back after this time.",
    )  # fmt: skip
    flight_wait_s: float = tunable(
        60.0, unit="s", minimum=0, maximum=600,
        label="Single flight: wait for an equal call", reach=Reach.EVERYTHING,
        help="A call waits this long for an equal one under way, then it asks by itself.",
    )  # fmt: skip

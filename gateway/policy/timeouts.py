"""How long each step of an exchange may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class TimeoutPolicy(Group):
    TITLE: ClassVar[str] = "Timeouts"

    connect_s: float = tunable(
        5.0, unit="s", minimum=0.05, maximum=120,
        label="Connect",
        help="For the connection, TLS included.",
    )  # fmt: skip
    pool_s: float = tunable(
        10.0, unit="s", minimum=0.05, maximum=120,
        label="Free connection",
        help="For a free connection of the pool.",
    )  # fmt: skip
    write_s: float = tunable(
        30.0, unit="s", minimum=0.05, maximum=600,
        label="Send the request",
        help="For sending the request.",
    )  # fmt: skip
    first_token_s: float = tunable(
        60.0, unit="s", minimum=0.05, maximum=600,
        label="First token",
        help="From sending a streamed call to the first token. Cold starts of 60 s are seen.",
    )  # fmt: skip
    stall_s: float = tunable(
        30.0, unit="s", minimum=0.05, maximum=600,
        label="Between two tokens",
        help="Between two tokens of a streamed answer.",
    )  # fmt: skip
    answer_s: float = tunable(
        120.0, unit="s", minimum=0.05, maximum=3600,
        label="Whole answer",
        help="For a whole answer that is not streamed.",
    )  # fmt: skip
    max_reply_bytes: int = tunable(
        8_000_000, unit="bytes", minimum=1_000, maximum=256_000_000,
        label="Longest answer",
        help="A longer answer is malformed.",
    )  # fmt: skip

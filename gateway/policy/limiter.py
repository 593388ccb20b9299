"""Waiting for quotas, and what follows from a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.policy.fields import YES_OR_NO, Group, Reach, tunable


@dataclass(frozen=True, slots=True)
class LimiterPolicy(Group):
    TITLE: ClassVar[str] = "Limiter"

    max_wait_s: float = tunable(
        5.0, unit="s", minimum=0, maximum=300,
        label="Longest wait here",
        help="Wait this long for a quota before the next target is tried.",
    )  # fmt: skip
    max_wait_last_s: float = tunable(
        20.0, unit="s", minimum=0, maximum=600,
        label="Longest wait at the last target",
        help="Wait this long for a quota, or a breaker, when no other target is left.",
    )  # fmt: skip
    default_completion_tokens: int = tunable(
        512, unit="tokens", minimum=1, maximum=100_000,
        label="Tokens reserved for an answer",
        help="Tokens reserved for an answer when the request names no maximum.",
    )  # fmt: skip
    throttled_pause_s: float = tunable(
        10.0, unit="s", minimum=0.1, maximum=3600,
        label="Rest after a 429",
        help="Rest of a quota after a refusal that names no waiting time.",
    )  # fmt: skip
    exhausted_pause_s: float = tunable(
        900.0, unit="s", minimum=1, maximum=86_400,
        label="Rest of a used-up quota",
        help="Rest of a quota that is used up when the provider names no time of return.",
    )  # fmt: skip
    longest_pause_s: float = tunable(
        86_400.0, unit="s", minimum=1, maximum=31 * 86_400,
        label="Longest rest of a quota",
        help="Longest rest of a quota, however long a provider asks for.",
    )  # fmt: skip
    rejected_key_pause_s: float = tunable(
        600.0, unit="s", minimum=1, maximum=86_400,
        label="Rest of a refused key", reach=Reach.EVERYTHING,
        help="Rest of a key that a provider refused, unless it is changed or tested before.",
    )  # fmt: skip
    degraded_share: float = tunable(
        0.25, unit="fraction", minimum=0.01, maximum=1,
        label="Share of a process without Redis",
        help="Part of each quota one process may use while Redis is away.",
    )  # fmt: skip
    warmup_share: float = tunable(
        0.5, unit="fraction", minimum=0.01, maximum=1,
        label="Warm-up begins at",
        help="Part of a minute's requests let through at first: at the very start, after a refusal "
        "and after an outage.",
    )  # fmt: skip
    warmup_s: float = tunable(
        20.0, unit="s", minimum=0, maximum=3600,
        label="Warm-up takes",
        help="Until all of them are let through.",
    )  # fmt: skip
    warmup_least: int = tunable(
        5, unit="requests", minimum=1, maximum=10_000,
        label="Requests during warm-up, at least",
        help="Requests of a window that are let through even so.",
    )  # fmt: skip
    decrease: float = tunable(
        0.5, unit="fraction", minimum=0.1, maximum=0.99,
        label="A refusal leaves",
        help="What a refusal that nothing explains leaves of a limit, at least.",
    )  # fmt: skip
    most_share: float = tunable(
        1.0, unit="fraction", minimum=0.01, maximum=1,
        label="Ceiling of a limit",
        help="So much of a published limit, or of one named by a header, is used at most.",
    )  # fmt: skip
    least_share: float = tunable(
        0.05, unit="fraction", minimum=0.001, maximum=1,
        label="Floor of a lowered limit",
        help="No limit is lowered below this part of what is published.",
    )  # fmt: skip
    growth: float = tunable(
        0.05, unit="fraction", minimum=0.001, maximum=1,
        label="Growth of a lowered limit",
        help="A lowered limit grows back by this part of itself in each window.",
    )  # fmt: skip
    hold_windows: int = tunable(
        5, unit="windows", minimum=0, maximum=1000,
        label="Pause before it grows",
        help="Windows until it begins to grow, an hour at most or one window; doubled each time "
        "the growth is refused.",
    )  # fmt: skip
    header_feedback: int = tunable(
        1, unit=YES_OR_NO, minimum=0, maximum=1,
        label="Follow what providers say",
        help="Whether limits and what is left of them are taken from answers (1), or only counted "
        "here (0).",
    )  # fmt: skip
    said_limit_trust_s: float = tunable(
        7 * 86_400.0, unit="s", minimum=1, maximum=365 * 86_400,
        label="Trust in a limit from a header",
        help="A limit that a provider named in an answer is believed for so long.",
    )  # fmt: skip
    unknown_start: int = tunable(
        20, unit="requests/minute", minimum=1, maximum=100_000,
        label="Unknown limits begin at",
        help="Where the limits of a provider are not known, begin with this; it grows with use.",
    )  # fmt: skip
    unknown_most: int = tunable(
        600, unit="requests/minute", minimum=1, maximum=1_000_000,
        label="Ceiling of unknown limits",
        help="Where the limits of a provider are not known, never more than this.",
    )  # fmt: skip

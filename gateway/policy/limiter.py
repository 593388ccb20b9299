"""Waiting for quotas, and what follows from a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.fields import Group, tunable


@dataclass(frozen=True, slots=True)
class LimiterPolicy(Group):
    max_wait_s: float = tunable(
        5.0, unit="s", minimum=0, maximum=300,
        help="Wait this long for a quota before the next target is tried.",
    )  # fmt: skip
    max_wait_last_s: float = tunable(
        20.0, unit="s", minimum=0, maximum=600,
        help="Wait this long for a quota, or a breaker, when no other target is left.",
    )  # fmt: skip
    default_completion_tokens: int = tunable(
        512, unit="tokens", minimum=1, maximum=100_000,
        help="Tokens reserved for an answer when the request names no maximum.",
    )  # fmt: skip
    throttled_pause_s: float = tunable(
        10.0, unit="s", minimum=0.1, maximum=3600,
        help="Rest of a quota after a refusal that names no waiting time.",
    )  # fmt: skip
    exhausted_pause_s: float = tunable(
        900.0, unit="s", minimum=1, maximum=86_400,
        help="Rest of a quota that is used up when the provider names no time of return.",
    )  # fmt: skip
    longest_pause_s: float = tunable(
        86_400.0, unit="s", minimum=1, maximum=31 * 86_400,
        help="Longest rest of a quota, however long a provider asks for.",
    )  # fmt: skip
    rejected_key_pause_s: float = tunable(
        600.0, unit="s", minimum=1, maximum=86_400,
        help="Rest of a key that a provider refused, unless it is changed or tested before.",
    )  # fmt: skip
    degraded_share: float = tunable(
        0.25, unit="fraction", minimum=0.01, maximum=1,
        help="Part of each quota one process may use while Redis is away.",
    )  # fmt: skip
    warmup_share: float = tunable(
        0.5, unit="fraction", minimum=0.01, maximum=1,
        help="Part of a minute's requests let through at first: at the very start, after a refusal "
        "and after an outage.",
    )  # fmt: skip
    warmup_s: float = tunable(
        20.0, unit="s", minimum=0, maximum=3600,
        help="Until all of them are let through.",
    )  # fmt: skip
    warmup_least: int = tunable(
        5, unit="requests", minimum=1, maximum=10_000,
        help="Requests of a window that are let through even so.",
    )  # fmt: skip
    decrease: float = tunable(
        0.5, unit="fraction", minimum=0.1, maximum=0.99,
        help="What a refusal that nothing explains leaves of a limit, at least.",
    )  # fmt: skip
    least_share: float = tunable(
        0.05, unit="fraction", minimum=0.001, maximum=1,
        help="No limit is lowered below this part of what is published.",
    )  # fmt: skip
    growth: float = tunable(
        0.05, unit="fraction", minimum=0.001, maximum=1,
        help="A lowered limit grows back by this part of itself in each window.",
    )  # fmt: skip
    hold_windows: int = tunable(
        5, unit="windows", minimum=0, maximum=1000,
        help="Windows until it begins to grow, an hour at most or one window; doubled each time "
        "the growth is refused.",
    )  # fmt: skip
    said_limit_trust_s: float = tunable(
        7 * 86_400.0, unit="s", minimum=1, maximum=365 * 86_400,
        help="A limit that a provider named in an answer is believed for so long.",
    )  # fmt: skip
    unknown_start: int = tunable(
        20, unit="requests/minute", minimum=1, maximum=100_000,
        help="Where the limits of a provider are not known, begin with this; it grows with use.",
    )  # fmt: skip
    unknown_most: int = tunable(
        600, unit="requests/minute", minimum=1, maximum=1_000_000,
        help="Where the limits of a provider are not known, never more than this.",
    )  # fmt: skip

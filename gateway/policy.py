"""Every tunable of the engine: typed, with its unit, bounds and one line of help."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Protocol


def tunable(default: float, *, unit: str, minimum: float, maximum: float, help: str) -> Any:  # noqa: A002 - the word forms use
    """Declare a field of a policy group; what is said here is checked when one is built."""
    metadata = {"unit": unit, "minimum": minimum, "maximum": maximum, "help": help}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Group:
    """Base of the groups: refuses a value outside its bounds with a ValueError naming the field."""

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one, getattr(self, one.name))


def _check(one: Field[Any], value: float) -> None:
    low, high = one.metadata["minimum"], one.metadata["maximum"]
    if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{one.name} must lie between {low} and {high} {one.metadata['unit']}")


@dataclass(frozen=True, slots=True)
class LimiterPolicy(Group):
    max_wait_s: float = tunable(
        5.0, unit="s", minimum=0, maximum=300,
        help="Wait this long for a quota before the next target is tried.",
    )  # fmt: skip
    max_wait_last_s: float = tunable(
        20.0, unit="s", minimum=0, maximum=600,
        help="Wait this long for a quota when no other target is left.",
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


@dataclass(frozen=True, slots=True)
class BreakerPolicy(Group):
    window_s: float = tunable(
        60.0, unit="s", minimum=1, maximum=3600,
        help="Failures are counted over this sliding window.",
    )  # fmt: skip
    offer_min_calls: int = tunable(
        5, unit="calls", minimum=1, maximum=1000,
        help="An offer's breaker judges from this many calls in the window.",
    )  # fmt: skip
    offer_failure_rate: float = tunable(
        0.5, unit="fraction", minimum=0.01, maximum=1,
        help="An offer's breaker opens at this share of failures.",
    )  # fmt: skip
    provider_min_calls: int = tunable(
        12, unit="calls", minimum=1, maximum=1000,
        help="A provider's breaker judges from this many calls; above an offer's, so that one "
        "failing model opens its own breaker and not its provider's.",
    )  # fmt: skip
    provider_failure_rate: float = tunable(
        0.8, unit="fraction", minimum=0.01, maximum=1,
        help="A provider's breaker opens at this share of failures.",
    )  # fmt: skip
    cooldown_s: float = tunable(
        15.0, unit="s", minimum=0.1, maximum=3600,
        help="First rest of an open breaker; doubled each time a probe fails.",
    )  # fmt: skip
    max_cooldown_s: float = tunable(
        600.0, unit="s", minimum=0.1, maximum=86_400,
        help="Longest rest of an open breaker.",
    )  # fmt: skip
    probes: int = tunable(
        1, unit="calls", minimum=1, maximum=20,
        help="Half-open: calls let through at the same time, all processes together.",
    )  # fmt: skip
    probe_ttl_s: float = tunable(
        180.0, unit="s", minimum=1, maximum=3600,
        help="A probe whose process died is given back after this time.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RetryPolicy(Group):
    max_attempts: int = tunable(
        2, unit="attempts", minimum=1, maximum=10,
        help="Attempts at one target before the next is tried.",
    )  # fmt: skip
    base_s: float = tunable(
        0.25, unit="s", minimum=0.001, maximum=60,
        help="Upper bound of the first pause; doubled each time, the pause is drawn below it.",
    )  # fmt: skip
    cap_s: float = tunable(
        4.0, unit="s", minimum=0.001, maximum=300,
        help="Upper bound of every pause. A longer Retry-After moves on to the next target.",
    )  # fmt: skip
    max_targets: int = tunable(
        8, unit="targets", minimum=1, maximum=100,
        help="Targets tried for one call.",
    )  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class TimeoutPolicy(Group):
    connect_s: float = tunable(
        5.0, unit="s", minimum=0.05, maximum=120,
        help="For the connection, TLS included.",
    )  # fmt: skip
    pool_s: float = tunable(
        10.0, unit="s", minimum=0.05, maximum=120,
        help="For a free connection of the pool.",
    )  # fmt: skip
    write_s: float = tunable(
        30.0, unit="s", minimum=0.05, maximum=600,
        help="For sending the request.",
    )  # fmt: skip
    first_token_s: float = tunable(
        60.0, unit="s", minimum=0.05, maximum=600,
        help="From sending a streamed call to the first token. Cold starts of 60 s are seen.",
    )  # fmt: skip
    stall_s: float = tunable(
        30.0, unit="s", minimum=0.05, maximum=600,
        help="Between two tokens of a streamed answer.",
    )  # fmt: skip
    answer_s: float = tunable(
        120.0, unit="s", minimum=0.05, maximum=3600,
        help="For a whole answer that is not streamed.",
    )  # fmt: skip
    max_reply_bytes: int = tunable(
        8_000_000, unit="bytes", minimum=1_000, maximum=256_000_000,
        help="A longer answer is malformed.",
    )  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Policy:
    limiter: LimiterPolicy = LimiterPolicy()
    breaker: BreakerPolicy = BreakerPolicy()
    retry: RetryPolicy = RetryPolicy()
    cache: CachePolicy = CachePolicy()
    timeouts: TimeoutPolicy = TimeoutPolicy()
    dispatch: DispatchPolicy = DispatchPolicy()


class PolicySource(Protocol):
    """Where the engine asks for the policy, anew for every call."""

    def current(self) -> Policy: ...


@dataclass(frozen=True, slots=True)
class StaticPolicy:
    """A policy that never changes."""

    policy: Policy = Policy()

    def current(self) -> Policy:
        return self.policy


@dataclass(frozen=True, slots=True)
class Tunable:
    """One field as a page or a form needs it."""

    group: str
    name: str
    kind: type[int | float]
    default: float
    unit: str
    minimum: float
    maximum: float
    help: str


def tunables() -> Mapping[str, Tunable]:
    """Every tunable by its full name, such as "limiter.max_wait_s"."""
    default = Policy()
    return {
        f"{group.name}.{one.name}": Tunable(
            group=group.name,
            name=one.name,
            kind=int if isinstance(one.default, int) else float,
            default=getattr(getattr(default, group.name), one.name),
            **one.metadata,
        )
        for group in fields(default)
        for one in fields(getattr(default, group.name))
    }

"""Breakers for people who watch them: how each stands, and the story of what changed its state.

The story is written by the scripts that change a breaker, in the same step, so that it tells of
each change once, whichever process made it and however soon that process died.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway import keys
from gateway.resilience.breaker_rules import BreakerState, Rules
from gateway.store import Script, Store

WATCH = Script("lua/time.lua", "resilience/lua/breaker.lua", "resilience/lua/watch.lua")
_US = 1_000_000
_AT_ONCE = 1_000  # changes of one provider
BEGINNING = "0-0"


@dataclass(frozen=True, slots=True)
class BreakerWatch:
    """A breaker as it stands. Times are seconds since 1970, by the clock of Redis; 0: not.

    Of its window's `calls`, `failures` failed and `slow` were late; it opens where their shares
    reach the rates, beyond `min_calls`.
    """

    state: BreakerState
    until_s: float
    opened_s: float
    trips: int
    reason: str
    is_forced: bool
    probes_under_way: int
    probes: int
    calls: int
    failures: int
    slow: int
    min_calls: int
    failure_rate: float
    slow_rate: float

    @property
    def failure_share(self) -> float | None:
        return self.failures / self.calls if self.calls else None

    @property
    def slow_share(self) -> float | None:
        return self.slow / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class BreakerSurvey:
    """Every breaker that was asked for, by (provider, model or None), read at `at_s`."""

    at_s: float = 0.0
    breakers: Mapping[tuple[str, str | None], BreakerWatch] = field(default_factory=dict)


def watch_of(rules: Rules, reply: Sequence[Any]) -> BreakerWatch:
    _, state, until_us, opened_us, trips, reason, forced, held, calls, failures, slow = reply
    return BreakerWatch(
        state=BreakerState(state.decode()),
        until_s=until_us / _US,
        opened_s=opened_us / _US,
        trips=trips,
        reason=reason.decode(errors="replace"),
        is_forced=bool(forced),
        probes_under_way=held,
        probes=rules.probes,
        calls=calls,
        failures=failures,
        slow=slow,
        min_calls=rules.min_calls,
        failure_rate=rules.failure_rate,
        slow_rate=rules.slow_rate,
    )


def at_s(reply: Sequence[Any]) -> float:
    now_us: int = reply[0]
    return now_us / _US


class ChangeKind(StrEnum):
    """What happened to a breaker. It becomes half-open by time alone, so nothing tells of that."""

    OPEN = "open"
    CLOSED = "closed"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """One change. `entry_id` is unique among the provider's and grows with time.

    `until_s` is until when it is open or forced, 0 where that has no end of its own.
    """

    provider: str
    model: str | None  # None: the provider's breaker
    entry_id: str
    kind: ChangeKind
    until_s: float
    trips: int
    reason: str
    by: str

    @property
    def at_s(self) -> float:
        return int(self.entry_id.partition("-")[0]) / 1_000


async def read_story(store: Store, after: Mapping[str, str]) -> list[BreakerChange]:
    """What happened after these entries, by provider; one round trip, raises StoreAwayError."""
    commands = [
        ("XRANGE", keys.breaker_story(provider), f"({entry_id}", "+", "COUNT", _AT_ONCE)
        for provider, entry_id in after.items()
    ]
    replies = await store.ask(*commands) if commands else []
    return [_change(entry_id, flat) for entries in replies for entry_id, flat in entries]


def _change(entry_id: bytes, flat: Sequence[bytes]) -> BreakerChange:
    said = {
        name.decode(): value.decode(errors="replace")
        for name, value in zip(flat[::2], flat[1::2], strict=True)
    }
    provider, model = keys.whose_breaker(said["breaker"])
    return BreakerChange(
        provider=provider,
        model=model,
        entry_id=entry_id.decode(),
        kind=ChangeKind(said["state"]),
        until_s=int(said["until"]) / _US,
        trips=int(said["trips"]),
        reason=said["reason"],
        by=said["by"],
    )

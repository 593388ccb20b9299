"""All that is known of quotas, for people who watch them: lua/survey.lua in Python's words.

Times are seconds since 1970 by the clock of Redis. What did not change is equal to what was read
before, so that whoever keeps many surveys keeps each pool once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.limiter.levels import source_of
from gateway.limiter.quota import UNSAID, Learned, Level, LimitLevel, LimitSource, Quota
from gateway.policy import LimiterPolicy
from gateway.store import Script
from gateway.types import Limit, Unit, Window

SURVEY = Script(
    "lua/time.lua", "limiter/lua/window.lua", "limiter/lua/limits.lua", "limiter/lua/survey.lua"
)
_US = 1_000_000
_HEAD, _PER_WINDOW = 5, 10


class PoolName(NamedTuple):
    """What a quota belongs to; `pool` is a model's id, or "*" where all models share it."""

    provider: str
    key_id: str
    pool: str


@dataclass(frozen=True, slots=True)
class WindowView:
    """One limit of a pool, and how much of it is used.

    `held` is the amount in force and `learned_at` when that was learned; `said` is what a header
    named. `fits_in_s` is until one more unit fits, None: never. `free_at` is when all of it is free
    again, 0 where it is. `lately` was used since `lately_since`.
    """

    limit: Limit
    held: int
    source: LimitSource
    learned_at: float
    said: int | None
    said_at: float
    used: int
    fits_in_s: float | None
    free_at: float
    lately: int
    lately_since: float

    @property
    def left(self) -> int:
        return max(0, self.held - self.used)

    @property
    def fraction_left(self) -> float:
        return self.left / self.held if self.held else 0.0

    @property
    def per_s(self) -> float:
        """The rate at which it is given out in force."""
        return self.held / self.limit.window.seconds

    @property
    def warms_up(self) -> bool:
        """Whether its rate begins low and rises."""
        return (
            self.limit.unit is Unit.REQUESTS and self.limit.window.seconds <= Window.MINUTE.seconds
        )

    def level(self, now_s: float) -> LimitLevel:
        """As calls see it."""
        return LimitLevel(
            limit=self.limit,
            left=self.left,
            resets_in_s=max(0.0, self.free_at - now_s),
            wait_s=self.fits_in_s,
            held_amount=None if self.held == self.limit.amount else self.held,
            source=self.source,
            learned_s_ago=max(0.0, now_s - self.learned_at) if self.learned_at else None,
            said=None if self.said is None else Learned(self.said, max(0.0, now_s - self.said_at)),
        )

    def net_per_s(self, now_s: float) -> float:
        """How fast it goes down at the rate of lately; below 0 it fills.

        What a rolling window gets back meanwhile is taken to come back evenly.
        """
        elapsed_s = now_s - self.lately_since
        if elapsed_s <= 0 or not self.lately_since:  # a window shorter than an hour is not asked
            return 0.0
        taken_per_s = self.lately / elapsed_s
        if self.limit.resets_in:
            return taken_per_s
        return taken_per_s - self.used / self.limit.window.seconds

    def runs_out_in_s(self, now_s: float) -> float | None:
        """When nothing is left at the rate of lately; None: it lasts."""
        net_per_s = self.net_per_s(now_s)
        if net_per_s <= 0:
            return None
        out_s = self.left / net_per_s
        until_s = self.free_at - now_s if self.limit.resets_in else self.limit.window.seconds
        return out_s if out_s < until_s else None


@dataclass(frozen=True, slots=True)
class PoolView:
    """A quota as it stands. 0 stands for a time that is not.

    Its rate begins with `warmup_share` of its limits and rises for `warmup_s`. `processes_waiting`
    are those in which somebody waits for it, the first since `first_waits_since`; in this one
    `waiting_here` calls do.
    """

    windows: tuple[WindowView, ...]
    rests_until: float
    warm_since: float
    warmup_s: float
    warmup_share: float
    processes_waiting: int
    first_waits_since: float
    waiting_here: int = 0

    @property
    def waiting(self) -> int:
        """Calls that wait, at least: of another process it is only known that somebody does."""
        others = self.processes_waiting - (1 if self.waiting_here else 0)
        return self.waiting_here + max(0, others)

    @property
    def is_used(self) -> bool:
        return bool(self.rests_until or self.waiting) or any(one.used for one in self.windows)

    def share_at(self, at_s: float) -> float:
        """The part of its limits that is given out while its rate rises."""
        if not at_s < self.warm_until:
            return 1.0
        past = max(0.0, at_s - self.warm_since) / self.warmup_s
        return self.warmup_share + (1 - self.warmup_share) * past

    @property
    def known(self) -> tuple[WindowView, ...]:
        """Without the limits that are only assumed: no figures to show as facts."""
        return tuple(one for one in self.windows if one.source is not LimitSource.ASSUMED)

    def level(self, now_s: float) -> Level:
        """As calls see it."""
        return Level(
            tuple(one.level(now_s) for one in self.known), max(0.0, self.rests_until - now_s)
        )

    @property
    def warm_until(self) -> float:
        has_warming = any(one.warms_up for one in self.windows)
        return self.warm_since + self.warmup_s if self.warm_since and has_warming else 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """Every pool that was asked for, read at `at_s`."""

    at_s: float = 0.0
    pools: Mapping[PoolName, PoolView] = field(default_factory=dict)


def view_of(
    quota: Quota, reply: Sequence[Any], policy: LimiterPolicy, waiting_here: int
) -> PoolView:
    _, rests_us, warm_us, processes, first_us = reply[:_HEAD]
    return PoolView(
        windows=tuple(_windows(quota, reply)),
        rests_until=rests_us / _US,
        warm_since=warm_us / _US,
        warmup_s=policy.warmup_s if policy.warmup_share < 1 else 0.0,
        warmup_share=policy.warmup_share,
        processes_waiting=processes,
        first_waits_since=first_us / _US,
        waiting_here=waiting_here,
    )


def _windows(quota: Quota, reply: Sequence[Any]) -> Sequence[WindowView]:
    views = []
    for at, limit in enumerate(quota.limits):
        start = _HEAD + at * _PER_WINDOW
        held, source, at_us, said, said_us, used, wait_us, free_us, late, since_us = reply[
            start : start + _PER_WINDOW
        ]
        if held >= UNSAID:
            continue  # nothing is known of it yet
        views.append(
            WindowView(
                limit=limit,
                held=held,
                source=source_of(quota, limit, source),
                learned_at=at_us / _US,
                said=None if said < 0 else said,
                said_at=said_us / _US,
                used=used,
                fits_in_s=None if wait_us < 0 else wait_us / _US,
                free_at=free_us / _US,
                lately=late,
                lately_since=since_us / _US,
            )
        )
    return views


def at_s(reply: Sequence[Any]) -> float:
    now_us: int = reply[0]
    return now_us / _US

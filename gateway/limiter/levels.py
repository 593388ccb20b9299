"""What limiter/lua/peek.lua replies, as levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.limiter.quota import UNSAID, Learned, Level, LimitLevel, LimitSource, Quota
from gateway.types import Limit

_US = 1_000_000
_PER_WINDOW = 8


def level_of(quota: Quota, reply: Sequence[Any]) -> Level:
    blocked_us, rest = reply[0], reply[1:]
    levels = []
    for at, limit in enumerate(quota.limits):
        of_window = rest[_PER_WINDOW * at :][:_PER_WINDOW]
        held, source, age_us, used, wait_us, free_us, said, said_age_us = of_window
        if held >= UNSAID:
            continue  # nothing is known of it yet
        levels.append(
            LimitLevel(
                limit=limit,
                left=max(0, held - used),
                resets_in_s=free_us / _US,
                wait_s=None if wait_us < 0 else wait_us / _US,
                held_amount=None if held == limit.amount else held,
                source=source_of(quota, limit, source),
                learned_s_ago=None if age_us < 0 else age_us / _US,
                said=None if said < 0 else Learned(said, said_age_us / _US),
            )
        )
    return Level(
        tuple(one for one in levels if one.source is not LimitSource.ASSUMED),
        blocked_for_s=blocked_us / _US,
        assumed=tuple(one for one in levels if one.source is LimitSource.ASSUMED),
    )


def source_of(quota: Quota, limit: Limit, said: bytes) -> LimitSource:
    source = LimitSource(said.decode())
    is_by_hand = source is LimitSource.PUBLISHED and limit in quota.pinned
    return LimitSource.PINNED if is_by_hand else source

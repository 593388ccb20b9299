"""How the offers on a page stand this moment: their breakers, and what is left of their quotas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from asgiref.sync import async_to_sync

from catalog.engine import engine
from catalog.targets import targets_for
from freellm_site.lib import format as formats
from gateway.limiter.quota import Level, LimitLevel
from gateway.resilience.breaker import BreakerView
from gateway.resilience.breaker_rules import BreakerState
from gateway.types import Target, Unit, Window

OfferName = tuple[str, str]  # the provider's slug, the offer's id there

_UNITS = {Unit.REQUESTS: "", Unit.TOKENS: " tok", Unit.NEURONS: " neurons"}
_SPANS = {
    Window.SECOND: "a s",
    Window.MINUTE: "a min",
    Window.HOUR: "an hour",
    Window.DAY: "a day",
    Window.MONTH: "a month",
}
_ORDER = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)


@dataclass(frozen=True, slots=True)
class Live:
    """`breaker` is None while Redis is away; `tightest` is None where no limit is published."""

    breaker: BreakerState | None
    retry_in_s: float = 0.0
    tightest: LimitLevel | None = None
    rests_for_s: float = 0.0  # since it refused a call

    @property
    def is_known(self) -> bool:
        return self.breaker is not None

    @property
    def is_open(self) -> bool:
        return self.breaker is BreakerState.OPEN

    @property
    def is_used_up(self) -> bool:
        return self.left == 0

    @property
    def left(self) -> float | None:
        """The share that is left of the tightest quota; None where it is not known."""
        if self.rests_for_s:
            return 0.0
        return self.tightest.fraction_left if self.is_known and self.tightest else None

    @property
    def figure(self) -> str:
        """“812 a day”, “7.9k tok a min”: what stands beside the meter."""
        if self.rests_for_s:
            return f"rests {formats.seconds(self.rests_for_s)}"
        if self.tightest is None:
            return ""
        left = formats.quantity(self.tightest.left, short=True)
        return f"{left}{_UNITS[self.tightest.limit.unit]} {_SPANS[self.tightest.limit.window]}"

    @property
    def words(self) -> str:
        """“812 of 1k requests a day left”, and when there will be more."""
        if self.rests_for_s:
            return f"It refused a call and rests for {formats.seconds(self.rests_for_s)}"
        if self.tightest is None:
            return ""
        limit, left = self.tightest.limit, formats.quantity(self.tightest.left, short=True)
        of = f"{left} of {formats.quantity(limit.amount, short=True)} {limit.unit}"
        told = f"{of} {_SPANS[limit.window]} left"
        if self.tightest.left == limit.amount:
            return told
        return f"{told}, all of it again in {formats.seconds(self.tightest.resets_in_s)}"

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """In the order of trying: what answers first, then by what is left."""
        return self.is_open, self.is_used_up, -(self.left or 0.0)


def live_of(offers: Mapping[int, OfferName]) -> dict[int, Live]:
    """By the offers' ids; those that no call can be sent to are left out.

    Costs a page one trip to Redis. While Redis is away nothing is known of any of them.
    """
    return async_to_sync(_ask)(offers) if offers else {}


def best_of(found: Iterable[Live]) -> Live | None:
    return min(found, key=lambda one: one.rank, default=None)


async def _ask(offers: Mapping[int, OfferName]) -> dict[int, Live]:
    targets = await targets_for(list(offers))
    pairs = [pair for one in targets for pair in _pairs(one)]
    async with engine() as gateway:
        levels, breakers = await asyncio.gather(
            gateway.levels(targets), gateway.breaker_states(pairs)
        )
    by_name: dict[OfferName, list[Live]] = {}
    for one in targets:
        live = _live(levels[one], [breakers[pair] for pair in _pairs(one)])
        by_name.setdefault((one.provider, one.model), []).append(live)
    # An offer with several keys stands as its best key does.
    found = {pk: best_of(by_name.get(name, [])) for pk, name in offers.items()}
    return {pk: live for pk, live in found.items() if live is not None}


def _pairs(target: Target) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return (target.provider, target.model), (target.provider, None)


def _live(level: Level, breakers: Sequence[BreakerView]) -> Live:
    """The worse of the offer's and the provider's breaker holds."""
    if not level.is_known or any(one.state is None for one in breakers):
        return Live(breaker=None)
    worst = max(breakers, key=lambda one: (_ORDER.index(one.state or _ORDER[0]), one.retry_in_s))
    return Live(worst.state, worst.retry_in_s, _tightest(level), level.blocked_for_s)


def _tightest(level: Level) -> LimitLevel | None:
    """Where several windows are equally full, the longest says most."""
    return min(
        level.limits,
        key=lambda one: (one.fraction_left, -one.limit.window.seconds, one.limit.unit),
        default=None,
    )

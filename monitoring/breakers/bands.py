"""A breaker's states over time, out of the changes that were told. Pure.

Becoming half-open is not told: an open breaker is half-open from its end on, until a call that went
out as a probe opens it again or closes it. What a person forces lies over it for its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.keys import BREAKER_TTL_S
from gateway.resilience.breaker_rules import BreakerState
from gateway.resilience.watching import BreakerChange, ChangeKind

_FORCED = (ChangeKind.FORCED_OPEN, ChangeKind.FORCED_CLOSED)
_LEAST_WIDTH = 0.4  # per cent: an opening of a second is still to be seen


@dataclass(frozen=True, slots=True)
class Stretch:
    """One state for a time, in Unix seconds, and what brought it."""

    state: BreakerState
    since_s: float
    until_s: float
    cause: str = ""
    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch as it is drawn; place and width in per cent."""

    stretch: Stretch
    x: float
    width: float

    @property
    def kind(self) -> str:
        return {BreakerState.OPEN: "open", BreakerState.HALF_OPEN: "half"}.get(
            self.stretch.state, "closed"
        )


def stretches(changes: Sequence[BreakerChange], since_s: float, until_s: float) -> list[Stretch]:
    """Of one breaker's changes, oldest first: all states between the two times, without a gap."""
    natural = [one for stretch in _natural(changes, until_s) for one in _halves(stretch)]
    found = [*natural, *_forced(changes, until_s)]
    return [
        Stretch(
            one.state,
            max(one.since_s, since_s),
            min(one.until_s, until_s),
            one.cause,
            one.is_forced,
        )
        for one in found
        if one.until_s > since_s and one.since_s < until_s
    ]


def bands(found: Iterable[Stretch], since_s: float, until_s: float) -> list[Band]:
    """What is not closed is drawn at least as wide as can be seen."""
    span_s = until_s - since_s
    drawn = []
    for one in found:
        width = 100 * (one.until_s - one.since_s) / span_s
        if one.state is not BreakerState.CLOSED:
            width = max(width, _LEAST_WIDTH)
        x = min(100 * (one.since_s - since_s) / span_s, 100 - width)
        drawn.append(Band(one, round(x, 2), round(width, 2)))
    return drawn


@dataclass(frozen=True, slots=True)
class _Opening:
    """From one change to the next; open until `rests_until_s`, where it is at all."""

    since_s: float
    until_s: float
    rests_until_s: float = 0.0
    cause: str = ""


def _natural(changes: Sequence[BreakerChange], until_s: float) -> list[_Opening]:
    told = [one for one in changes if one.kind not in _FORCED]
    first_s = told[0].at_s if told else until_s
    openings = [_Opening(float("-inf"), first_s)]
    for one, following in pairwise([*told, None]):
        if one is None:
            continue
        ends_s = following.at_s if following else until_s
        rests_s = one.until_s if one.kind is ChangeKind.OPEN else 0.0
        openings.append(_Opening(one.at_s, ends_s, rests_s, one.reason))
    return openings


def _halves(opening: _Opening) -> list[Stretch]:
    """Open, then half-open until it is forgotten, then closed."""
    since_s, until_s, rests_s = opening.since_s, opening.until_s, opening.rests_until_s
    if not rests_s:
        return [Stretch(BreakerState.CLOSED, since_s, until_s)]
    open_s, half_s = min(rests_s, until_s), min(rests_s + BREAKER_TTL_S, until_s)
    found = [
        Stretch(BreakerState.OPEN, since_s, open_s, opening.cause),
        Stretch(BreakerState.HALF_OPEN, open_s, half_s, opening.cause),
        Stretch(BreakerState.CLOSED, half_s, until_s),
    ]
    return [one for one in found if one.until_s > one.since_s]


def _forced(changes: Sequence[BreakerChange], until_s: float) -> list[Stretch]:
    told = [one for one in changes if one.kind in (*_FORCED, ChangeKind.RESET)]
    found = []
    for one, following in pairwise([*told, None]):
        if one is None or one.kind is ChangeKind.RESET:
            continue
        ends_s = min(one.until_s, following.at_s if following else until_s)
        state = BreakerState.OPEN if one.kind is ChangeKind.FORCED_OPEN else BreakerState.CLOSED
        found.append(Stretch(state, one.at_s, ends_s, one.reason, is_forced=True))
    return found

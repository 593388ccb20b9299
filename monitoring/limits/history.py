"""One quota over the last minutes, read out of the samples: levels, phases, marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from freellm_site.lib.format import quantity
from gateway.limiter.quota import LimitSource
from gateway.limiter.survey import PoolName, PoolView, Survey, WindowView

SPAN_S = 300.0

Phase = tuple[float, float]  # from, until; Unix seconds


@dataclass(frozen=True, slots=True)
class Correction:
    """A limit came to be another: a header named it, or a refusal showed it."""

    at_s: float
    left: int
    text: str


@dataclass(frozen=True)
class PoolHistory:
    """The quota at each moment it was looked at, oldest first."""

    points: Sequence[tuple[float, PoolView]]

    @classmethod
    def of(cls, name: PoolName, surveys: Iterable[Survey]) -> PoolHistory:
        return cls([(one.at_s, one.pools[name]) for one in surveys if name in one.pools])

    @property
    def now_s(self) -> float:
        return self.points[-1][0]

    @property
    def now(self) -> PoolView:
        return self.points[-1][1]

    def window(self, name: str) -> list[tuple[float, WindowView]]:
        """One of its limits, by name ("rpm")."""
        return [
            (at_s, window)
            for at_s, view in self.points
            for window in view.windows
            if window.limit.name == name
        ]

    @cached_property
    def warming(self) -> list[Phase]:
        phases = {(view.warm_since, view.warm_until) for _, view in self.points if view.warm_until}
        return self._clipped(phases)

    @cached_property
    def resting(self) -> list[Phase]:
        """From when it was first seen to rest until when it said it would."""
        found: dict[float, float] = {}
        for at_s, view in self.points:
            if view.rests_until > at_s:
                found.setdefault(view.rests_until, at_s)
        return self._clipped((since_s, until_s) for until_s, since_s in found.items())

    def corrections(self, name: str) -> list[Correction]:
        return [
            Correction(after.learned_at or at_s, after.left, _told(before, after))
            for (_, before), (at_s, after) in pairwise(self.window(name))
            if after.held != before.held and not _is_growth(before, after)
        ]

    def _clipped(self, phases: Iterable[Phase]) -> list[Phase]:
        """Those that reach into the window; what lies ahead is cut off at its end."""
        first_s, last_s = self.now_s - SPAN_S, self.now_s
        return sorted(
            (max(since_s, first_s), min(until_s, last_s))
            for since_s, until_s in phases
            if until_s > first_s and since_s < last_s
        )


def _is_growth(before: WindowView, after: WindowView) -> bool:
    """A lowered limit grows back all the time: nobody has said anything."""
    is_measured = after.source is LimitSource.MEASURED
    return is_measured and after.learned_at == before.learned_at


def _told(before: WindowView, after: WindowView) -> str:
    who = {
        LimitSource.HEADERS: "a header named",
        LimitSource.MEASURED: "a refusal showed",
        LimitSource.PUBLISHED: "as published:",
        LimitSource.PINNED: "set by hand:",
        LimitSource.ASSUMED: "assumed:",
    }[after.source]
    return f"{who} {quantity(after.held)}, was {quantity(before.held)}"

"""A quota as the page of live limits shows it: how it stands, in a shape, words and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from catalog.known_limits import Source
from freellm_site.lib import format as formats
from gateway.limiter.quota import LimitSource
from gateway.limiter.survey import PoolName, PoolView, Survey, WindowView
from gateway.types import Unit, Window
from monitoring.limits.pools import PoolFacts
from monitoring.limits.refusals import RefusedOutside

_LOW = 0.2  # where meters turn amber
_UNITS = {Unit.REQUESTS: "req", Unit.TOKENS: "tok", Unit.NEURONS: "neurons"}
_SOURCES = {
    LimitSource.PUBLISHED: Source.PUBLISHED,
    LimitSource.PINNED: Source.PINNED,
    LimitSource.HEADERS: Source.HEADER,
    LimitSource.MEASURED: Source.LEARNED,
}


class State(StrEnum):
    """How a quota stands, the gravest first; the value is the word in the address."""

    RESTING = "resting"
    EMPTY = "empty"
    WAITING = "waiting"
    LOW = "low"
    WARMING = "warming"
    USED = "used"
    FULL = "full"

    @property
    def word(self) -> str:
        return _WORDS[self]

    @property
    def glyph(self) -> str:
        return _GLYPHS.get(self, "full")

    @property
    def tone(self) -> str:
        return {"hollow": "bad", "half": "warn"}.get(self.glyph, "ok")


_WORDS = {
    State.RESTING: "Rests",
    State.EMPTY: "Used up",
    State.WAITING: "Calls wait",
    State.LOW: "Low",
    State.WARMING: "Warms up",
    State.USED: "In use",
    State.FULL: "Full",
}
_GLYPHS = {
    State.RESTING: "hollow",
    State.EMPTY: "hollow",
    State.WAITING: "half",
    State.LOW: "half",
}


@dataclass(frozen=True)
class PoolRow:
    """One quota at `now_s`, by the clock of Redis."""

    facts: PoolFacts
    view: PoolView
    now_s: float
    refused: int = 0  # outside, in the last minutes

    @property
    def url(self) -> str:
        return f"{reverse('monitoring:limit-detail')}?{query_of(self.facts.name)}"

    @cached_property
    def tightest(self) -> WindowView | None:
        """Of equally full windows the longest says most; None where no limit is known.

        A second's window is over before it is read, so it speaks only where there is no other.
        """
        return min(self._lasting, key=_tightness, default=None)

    @property
    def _lasting(self) -> Sequence[WindowView]:
        known = self.view.known
        return [one for one in known if one.limit.window is not Window.SECOND] or known

    @cached_property
    def state(self) -> State:
        view, now_s = self.view, self.now_s
        if view.rests_until > now_s:
            return State.RESTING
        if any(one.left == 0 for one in self._lasting):
            return State.EMPTY
        if view.waiting:
            return State.WAITING
        if self.tightest and self.tightest.fraction_left < _LOW:
            return State.LOW
        if now_s < view.warm_until and view.is_used:
            return State.WARMING
        return State.USED if view.is_used else State.FULL

    @property
    def state_note(self) -> str:
        if self.state is State.RESTING:
            return f"for {formats.seconds(self.view.rests_until - self.now_s)}"
        if self.state is State.WARMING:
            return f"{formats.percent(self.view.share_at(self.now_s), 0)} of its rate"
        return ""

    @property
    def wait_note(self) -> str:
        """Who waits, and for how long."""
        if not self.view.waiting:
            return ""
        waited_s = max(0.0, self.now_s - self.view.first_waits_since)
        since = f", the first for {formats.seconds(waited_s)}" if waited_s else ""
        return f"{formats.counted(self.view.waiting, 'call')}{since}"

    @property
    def gravity(self) -> tuple[int, float, str, str]:
        """What needs a look comes first, then the fullest use; in tenths, so that rows keep still
        while somebody reads them.
        """
        left = round(self.tightest.fraction_left, 1) if self.tightest else 1.0
        order = list(State).index(self.state)
        return order, left, self.facts.provider_name.casefold(), self.facts.title.casefold()

    @property
    def runs_out(self) -> datetime | None:
        """At the rate of lately; None: it lasts."""
        outs = [out for one in self.view.known if (out := one.runs_out_in_s(self.now_s))]
        return moment(self.now_s + min(outs)) if outs else None

    @property
    def runs_out_note(self) -> str:
        if self.state is State.EMPTY:
            return "out"
        out = self.runs_out
        return when_words(out, self.now_s) if out else "lasts"

    @property
    def left_note(self) -> str:
        one = self.tightest
        if one is None:
            return ""
        left, held = formats.quantity(one.left, short=True), formats.quantity(one.held, short=True)
        return f"{left} of {held} {span_words(one)}"

    @property
    def resets_note(self) -> str:
        return reset_words(self.tightest, self.now_s) if self.tightest else ""

    @property
    def source(self) -> Source | None:
        return source_of(self.tightest) if self.tightest else None

    @property
    def source_age_s(self) -> float | None:
        one = self.tightest
        return self.now_s - one.learned_at if one and one.learned_at else None


def query_of(name: PoolName) -> str:
    """In the address of the quota's page and of its stream."""
    return urlencode({"provider": name.provider, "key": name.key_id, "pool": name.pool})


def asked_name(asked: QueryDict) -> PoolName:
    return PoolName(*(asked.get(part, "") for part in ("provider", "key", "pool")))


def _tightness(one: WindowView) -> tuple[float, int, str]:
    return one.fraction_left, -one.limit.window.seconds, one.limit.unit


def source_of(window: WindowView) -> Source:
    return _SOURCES[window.source]


def span_words(window: WindowView) -> str:
    """“req a minute”."""
    limit = window.limit
    return f"{_UNITS[limit.unit]} {'an' if limit.window is Window.HOUR else 'a'} {limit.window}"


def reset_words(window: WindowView, now_s: float) -> str:
    """When all of it is there again: a clock time for a provider's day, else how long that is."""
    if not window.used or window.free_at <= now_s:
        return formats.MISSING
    if window.limit.resets_in:
        return when_words(moment(window.free_at), now_s)
    return f"in {formats.seconds(window.free_at - now_s)}"


def when_words(at: datetime, now_s: float) -> str:
    """A clock time within a day, else the date: "08:00 UTC", "28 Nov"."""
    local = timezone.localtime(at)
    is_near = at.timestamp() - now_s < 86_400  # noqa: PLR2004 - a day
    return formats.clock(local) if is_near else formats.ago(local, moment(now_s))


def rate_words(per_s: float, unit: Unit) -> str:
    """“2 s each” of what is given out slowly, “133 a second” of what is not."""
    if per_s <= 0:
        return "nothing"
    if per_s < 1:
        return f"1 {_UNITS[unit]} in {formats.seconds(1 / per_s)}"
    return f"{formats.quantity(per_s)} {_UNITS[unit]} a second"


def moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def pool_rows(
    survey: Survey,
    pools: Mapping[PoolName, PoolFacts],
    refusals: Sequence[RefusedOutside] = (),
) -> list[PoolRow]:
    """Every quota that can be drawn on, the one that most needs a look first."""
    refused = Counter(_pools_of(refusals, pools))
    rows = [
        PoolRow(pools[name], view, survey.at_s, refused[name])
        for name, view in survey.pools.items()
        if name in pools
    ]
    return sorted(rows, key=lambda row: row.gravity)


def _pools_of(
    refusals: Sequence[RefusedOutside], pools: Mapping[PoolName, PoolFacts]
) -> Iterable[PoolName]:
    for one in refusals:
        own = PoolName(one.provider, one.key_id, one.model)
        yield own if own in pools else PoolName(one.provider, one.key_id, "*")

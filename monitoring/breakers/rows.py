"""A breaker as its page shows it: how it stands, why, what comes next, and its states over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from freellm_site.lib import format as formats
from gateway.resilience.breaker_rules import BreakerState
from gateway.resilience.watching import BreakerChange, BreakerSurvey, BreakerWatch, ChangeKind
from monitoring.breakers.bands import Band, bands, stretches
from monitoring.charts import Mark
from monitoring.limits.rows import moment

Pair = tuple[str, str | None]  # the provider and, of an offer's breaker, the model's id there

_GLYPHS = {BreakerState.OPEN: "hollow", BreakerState.HALF_OPEN: "half"}
_TONES = {BreakerState.OPEN: "bad", BreakerState.HALF_OPEN: "warn"}
_ORDER = (BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED)


@dataclass(frozen=True, slots=True)
class Names:
    """What people call a breaker's provider and model."""

    provider: str
    model: str = ""

    @property
    def label(self) -> str:
        return f"{self.model} on {self.provider}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: how the breakers stood, what they are called, what changed them lately."""

    survey: BreakerSurvey
    names: Mapping[Pair, Names]
    changes: Mapping[Pair, Sequence[BreakerChange]]  # of each, oldest first
    marks: Sequence[Mark] = ()  # changes of the policy meanwhile

    def rows(self, span_s: float) -> list[BreakerRow]:
        """What most needs a look comes first."""
        rows = [
            BreakerRow(
                pair, names, self.survey.breakers[pair], self.survey.at_s, span_s,
                self.changes.get(pair, ()),
            )
            for pair, names in self.names.items()
            if pair in self.survey.breakers
        ]  # fmt: skip
        return sorted(rows, key=lambda row: row.gravity)

    def story(self, of: Pair | None = None) -> list[StoryLine]:
        """The changes of one breaker, or of all; the newest first."""
        told = (
            self.changes.get(of, ())
            if of
            else [one for row in self.changes.values() for one in row]
        )
        ordered = sorted(told, key=lambda one: one.at_s, reverse=True)
        return [StoryLine(one, names_of((one.provider, one.model), self.names)) for one in ordered]


@dataclass(frozen=True)
class BreakerRow:
    """One breaker at `now_s`, with its changes of the last `span_s`, oldest first."""

    pair: Pair
    names: Names
    watch: BreakerWatch
    now_s: float
    span_s: float
    changes: Sequence[BreakerChange] = ()

    @property
    def query(self) -> str:
        return urlencode({"provider": self.pair[0], "model": self.pair[1] or ""})

    @property
    def url(self) -> str:
        return f"{reverse('monitoring:breaker-detail')}?{self.query}"

    @property
    def name(self) -> str:
        return self.names.model or self.names.provider

    @property
    def glyph(self) -> str:
        return _GLYPHS.get(self.watch.state, "full")

    @property
    def tone(self) -> str:
        return _TONES.get(self.watch.state, "ok")

    @property
    def word(self) -> str:
        words = {BreakerState.OPEN: "Open", BreakerState.HALF_OPEN: "Half-open"}
        return words.get(self.watch.state, "Closed")

    @property
    def searched(self) -> str:
        provider, model = self.pair
        return f"{self.names.provider} {self.names.model} {provider} {model or ''}".casefold()

    @property
    def is_calm(self) -> bool:
        return self.watch.state is BreakerState.CLOSED and not self.watch.is_forced

    @property
    def next_note(self) -> str:
        """What happens next, and when."""
        watch = self.watch
        left = formats.seconds(max(0.0, watch.until_s - self.now_s))
        if watch.is_forced:
            return f"by hand for {left}"
        if watch.state is BreakerState.OPEN:
            return f"probe in {left}"
        if watch.state is BreakerState.HALF_OPEN and watch.probes_under_way:
            return f"{watch.probes_under_way} of {watch.probes} probes out"
        return "the next call is a probe" if watch.state is BreakerState.HALF_OPEN else ""

    @property
    def rates_note(self) -> str:
        """“3 of 20 failed, 1 slow”: what the window holds now."""
        watch = self.watch
        if not watch.calls:
            return ""
        slow = f", {watch.slow} slow" if watch.slow else ""
        return f"{watch.failures} of {watch.calls}{slow}"

    @cached_property
    def bands(self) -> list[Band]:
        since_s = self.now_s - self.span_s
        return bands(stretches(self.changes, since_s, self.now_s), since_s, self.now_s)

    @property
    def opened(self) -> int:
        """In the range shown."""
        since_s = self.now_s - self.span_s
        return sum(one.kind is ChangeKind.OPEN and one.at_s >= since_s for one in self.changes)

    @property
    def opened_today(self) -> int:
        midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
        since_s = midnight.timestamp()
        return sum(one.kind is ChangeKind.OPEN and one.at_s >= since_s for one in self.changes)

    @property
    def open_since(self) -> datetime | None:
        return moment(self.watch.opened_s) if self.watch.opened_s else None

    @property
    def gravity(self) -> tuple[int, bool, int, str, str]:
        """What is down comes first, then what a person forced, then what opened most."""
        return (
            _ORDER.index(self.watch.state),
            not self.watch.is_forced,
            -self.opened,
            self.names.provider.casefold(),
            self.names.model.casefold(),
        )


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One change in words."""

    change: BreakerChange
    names: Names

    @property
    def at(self) -> datetime:
        return timezone.localtime(moment(self.change.at_s))

    @property
    def until(self) -> datetime | None:
        return timezone.localtime(moment(self.change.until_s)) if self.change.until_s else None

    @property
    def glyph(self) -> str:
        opens = (ChangeKind.OPEN, ChangeKind.FORCED_OPEN)
        return "hollow" if self.change.kind in opens else "full"

    @property
    def words(self) -> str:
        change, label = self.change, self.names.label
        again = " again" if change.trips > 1 else ""
        return {
            ChangeKind.OPEN: f"{label} open{again}",
            ChangeKind.CLOSED: f"{label} closed",
            ChangeKind.FORCED_OPEN: f"{change.by or 'Somebody'} held {label} open",
            ChangeKind.FORCED_CLOSED: f"{change.by or 'Somebody'} let {label} through",
            ChangeKind.RESET: f"{change.by or 'Somebody'} reset {label}",
        }[change.kind]

    @property
    def cause(self) -> str:
        if self.change.kind is ChangeKind.CLOSED:
            return "a probe was answered"
        return self.change.reason.removeprefix("by hand: ")

    @property
    def url(self) -> str:
        pair = {"provider": self.change.provider, "model": self.change.model or ""}
        return f"{reverse('monitoring:breaker-detail')}?{urlencode(pair)}"


def names_of(pair: Pair, names: Mapping[Pair, Names]) -> Names:
    """What has left the catalog keeps its ids for names."""
    provider, model = pair
    known = names.get((provider, None))
    return names.get(pair) or Names(known.provider if known else provider, model or "")

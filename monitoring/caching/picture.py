"""What the page of the cache says of its figures. Pure: the same live and still."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.http import QueryDict

from freellm_site.lib import format as formats
from gateway.cache.counts import DAY, HOUR, MINUTE, Span
from gateway.cache.entries import Amount
from gateway.cache.kinds import COMPLETION, KINDS
from monitoring.ranges import Range, clock_times
from monitoring.series import Column

if TYPE_CHECKING:
    from monitoring.caching.sampler import CacheSample

TIERS = {"memory": "Memory", "disk": "Disk", "redis": "Redis"}
_TONES = {"memory": "s1", "disk": "s4", "redis": "s3", "flight": "s6", "origin": "s0"}
_PLACES = {**TIERS, "flight": "Joined", "origin": "Origin"}

LABELS = {
    "completion": ("Answers", "to equal prompts, with temperature 0 or a seed"),
    "model_list": ("Model lists", "as each provider sent them"),
    "model_metadata": ("Facts of models", "what others know of a model"),
    "model_status": ("Status of models", "what a provider says of its health"),
    "credentials": ("Credentials", "in memory only, and never shown"),
    "benchmark": ("Benchmarks", "how fast offers answered here"),
}


@dataclass(frozen=True, slots=True)
class CacheRange:
    """A range, the span whose counters it is made of, and how many of them make a step."""

    range: Range
    span: Span

    @property
    def together(self) -> int:
        return self.range.step_s // self.span.seconds


RANGES = {
    one.range.key: one
    for one in (
        CacheRange(Range("1h", "1 h", 3_600, 60, "steps of 1 min"), MINUTE),
        CacheRange(Range("24h", "24 h", 86_400, 3_600, "steps of 1 h"), HOUR),
        CacheRange(Range("7d", "7 d", 7 * 86_400, 3 * 3_600, "steps of 3 h", "%-d %b"), HOUR),
        CacheRange(Range("90d", "90 d", 90 * 86_400, 86_400, "steps of 1 day", "%-d %b"), DAY),
    )
}
FIRST = "24h"

# The page's live parts and their templates.
PARTS = {
    "ladder": "monitoring/cache/_ladder.html",
    "kinds": "monitoring/cache/_kind_rows.html",
    "spared": "monitoring/cache/_spared.html",
    "tiers": "monitoring/cache/_tier_rows.html",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """How many of those who asked were answered here; shares in per cent."""

    place: str
    count: int
    before: float  # were answered nearer
    share: float

    @property
    def label(self) -> str:
        return _PLACES[self.place]

    @property
    def tone(self) -> str:
        return _TONES[self.place]

    @property
    def words_at(self) -> float:
        """Where the share is written: behind its bar, or inside where there is no room."""
        return self.before + 1 if self.before + self.share > 85 else self.before + self.share + 1  # noqa: PLR2004 - a figure is so wide

    @property
    def looks(self) -> str:
        return formats.counted(self.count, "look")

    @property
    def percent(self) -> str:
        return formats.percent(self.share / 100)


@dataclass(frozen=True, slots=True)
class KindRow:
    name: str
    tally: Tally
    amount: Amount | None  # None: it is kept nowhere but in memory
    in_memory: Amount
    on_disk: Amount
    fresh_s: float

    @property
    def label(self) -> str:
        return LABELS[self.name][0]

    @property
    def under(self) -> str:
        return LABELS[self.name][1]

    @property
    def is_listed(self) -> bool:
        return self.amount is not None


@dataclass(frozen=True, slots=True)
class TierRow:
    name: str
    label: str
    entries: int
    used_bytes: int
    most_bytes: int  # 0: no bound
    hit_share: float | None  # of those who asked this tier
    evicted: int

    @property
    def left_share(self) -> float | None:
        return max(0.0, 1 - self.used_bytes / self.most_bytes) if self.most_bytes else None


@dataclass(frozen=True)
class Tally:
    """The counters of one kind, whatever time they are of."""

    kind: str
    counts: Mapping[str, int]

    def of(self, tier: str, *whats: str) -> int:
        return sum(self.counts.get(f"{self.kind}:{tier}:{what}", 0) for what in whats)

    def over_tiers(self, what: str) -> int:
        return sum(self.of(tier, what) for tier in _PLACES)

    @property
    def lookups(self) -> int:
        """Every look begins in memory."""
        return self.of("memory", "hits", "negative", "misses")

    def given(self, place: str) -> int:
        if place == "flight":
            return self.of("flight", "coalesced")
        if place == "origin":
            return max(0, self.lookups - sum(self.given(one) for one in (*TIERS, "flight")))
        return self.of(place, "hits", "negative")

    @property
    def served(self) -> int:
        return sum(self.given(tier) for tier in TIERS)

    @property
    def joined(self) -> int:
        return self.given("flight")

    @property
    def missed(self) -> int:
        return self.given("origin")

    @property
    def share(self) -> float | None:
        return self.served / self.lookups if self.lookups else None

    @property
    def stale(self) -> int:
        return self.over_tiers("stale")

    @property
    def negative(self) -> int:
        return self.over_tiers("negative")

    @property
    def saved_calls(self) -> int:
        return self.over_tiers("saved_calls")

    @property
    def saved_tokens(self) -> int:
        return self.over_tiers("saved_tokens")

    @property
    def saved_s(self) -> float:
        return self.over_tiers("saved_ms") / 1000


@dataclass(frozen=True)
class CachePicture:
    """One range of time and, on the chart, one kind."""

    sample: CacheSample
    chosen: CacheRange
    kind: str

    @classmethod
    def asked(cls, sample: CacheSample, asked: QueryDict) -> CachePicture:
        """What is unknown falls back to the first; the page says so."""
        chosen = RANGES.get(asked.get("range", ""), RANGES[FIRST])
        kind = asked.get("kind", "")
        return cls(sample, chosen, kind if kind in LABELS else COMPLETION.name)

    @property
    def range(self) -> Range:
        return self.chosen.range

    @property
    def kind_label(self) -> str:
        return LABELS[self.kind][0]

    @cached_property
    def _steps(self) -> list[Mapping[str, int]]:
        _, counters = self.sample.steps[self.chosen.span]
        wanted = counters[-self.range.length * self.chosen.together :]
        size = self.chosen.together
        return [_sum(wanted[at : at + size]) for at in range(0, len(wanted), size)]

    @cached_property
    def total(self) -> Mapping[str, int]:
        return _sum(self._steps)

    @cached_property
    def tally(self) -> Tally:
        """Of the kind on the chart."""
        return Tally(self.kind, self.total)

    @cached_property
    def answers(self) -> Tally:
        return Tally(COMPLETION.name, self.total)

    @property
    def headline(self) -> str:
        if self.answers.share is None:
            return f"No call asked the cache in the last {self.range.label}"
        share = formats.percent(self.answers.share, 0)
        return f"{share} of the calls that could ended in a cache"

    @property
    def lookups_in_words(self) -> str:
        lookups, served = map(formats.quantity, (self.tally.lookups, self.tally.served))
        return f"{lookups} asked, {served} ended in a cache"

    @property
    def rungs(self) -> list[Rung]:
        """Nearest first; what an earlier tier has answered stands before each."""
        lookups, before, rungs = self.tally.lookups, 0.0, []
        for place in _PLACES:
            count = self.tally.given(place)
            share = count / lookups * 100 if lookups else 0.0
            rungs.append(Rung(place, count, round(before, 2), round(share, 2)))
            before += share
        return rungs

    @property
    def kinds(self) -> list[KindRow]:
        amounts, stock = self.sample.amounts, self.sample.stock.by_kind
        lifetimes = self.sample.policy.lifetimes
        return [
            KindRow(
                one.name,
                Tally(one.name, self.total),
                None if one.is_secret else stock.get(one.name, Amount()),
                amounts["memory"].get(one.name, Amount()),
                amounts["disk"].get(one.name, Amount()),
                lifetimes.of(one.name).fresh_s,
            )
            for one in KINDS
        ]

    @property
    def tiers(self) -> list[TierRow]:
        bounds = self.sample.policy.cache
        stock, room = self.sample.stock.by_kind, self.sample.room
        held = {name: _together(kinds.values()) for name, kinds in self.sample.amounts.items()}
        rows = [
            ("memory", held["memory"].entries, held["memory"].bytes, bounds.memory_bytes),
            ("disk", held["disk"].entries, held["disk"].bytes, bounds.disk_bytes),
            ("redis", _together(stock.values()).entries, room.used_bytes, room.most_bytes),
        ]
        return [
            TierRow(
                name, TIERS[name], entries, used, most, self._hit_share(name), self._evicted(name)
            )
            for name, entries, used, most in rows
        ]

    @cached_property
    def times(self) -> list[str]:
        first_s, counters = self.sample.steps[self.chosen.span]
        skipped = len(counters) - self.range.length * self.chosen.together
        first_s += skipped * self.chosen.span.seconds
        return clock_times(range(first_s, first_s + self.range.span_s, self.range.step_s))

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Shares in per cent by tier; None where nobody asked."""
        tallies = [Tally(self.kind, step) for step in self._steps]
        return {
            tier: [
                round(one.given(tier) / one.lookups * 100, 1) if one.lookups else None
                for one in tallies
            ]
            for tier in (*TIERS, "flight")
        }

    @property
    def totals(self) -> dict[str, str]:
        lookups = self.tally.lookups
        return {
            tier: formats.percent(self.tally.given(tier) / lookups if lookups else None)
            for tier in (*TIERS, "flight")
        }

    def rows(self) -> list[tuple[str, Tally]]:
        """The chart's figures for a table: steps in which somebody asked, newest first."""
        both = zip(self.times, (Tally(self.kind, step) for step in self._steps), strict=True)
        return [(time, tally) for time, tally in both if tally.lookups][::-1]

    def _hit_share(self, tier: str) -> float | None:
        kinds = [Tally(one.name, self.total) for one in KINDS]
        given = sum(one.given(tier) for one in kinds)
        asked = given + sum(one.of(tier, "misses") for one in kinds)
        return given / asked if asked else None

    def _evicted(self, tier: str) -> int:
        if tier == "redis":
            return self.sample.room.evicted
        return sum(Tally(one.name, self.total).of(tier, "evictions") for one in KINDS)


def _sum(counters: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for one in counters:
        total.update(one)
    return total


def _together(amounts: Iterable[Amount]) -> Amount:
    both = [(one.entries, one.bytes) for one in amounts]
    return Amount(sum(entries for entries, _ in both), sum(size for _, size in both))

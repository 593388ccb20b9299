"""What the pages of breakers show: the list with its bands, one with its chart and story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils import timezone

from catalog.paging import Listing, read_choice, read_page
from freellm_site.lib import format as formats
from gateway.resilience.breaker_rules import BreakerState
from monitoring.breakers.figures import blank, rates_figure
from monitoring.breakers.rows import BreakerRow, Pair, Seen, StoryLine
from monitoring.charts import with_marks
from monitoring.limits.rows import moment
from monitoring.sampling import Sample
from monitoring.traffic import Tile

PAGE = 40
SPANS = {
    "1h": ("1 h", 3_600),
    "6h": ("6 h", 21_600),
    "24h": ("24 h", 86_400),
    "7d": ("7 d", 604_800),
}
_USUAL_SPAN = "24h"
_WHAT = {"": "Providers", "offers": "Offers"}
_STORY_LINES = 12
_TICKS = 4
_LONGEST_SEARCH = 80


@dataclass(frozen=True)
class BreakerListing:
    """One page of the breakers that match, over one span of time."""

    seen: Seen
    listing: Listing
    span: str
    what: str
    q: str
    notices: Sequence[str]
    of_kind: Sequence[BreakerRow]  # all providers' or all offers'

    @classmethod
    def of(cls, seen: Seen, asked: QueryDict) -> BreakerListing:
        notices: list[str] = []
        labels = {key: label for key, (label, _) in SPANS.items()}
        span = read_choice(asked, "range", labels, notices) or _USUAL_SPAN
        what = read_choice(asked, "what", _WHAT, notices)
        q = asked.get("q", "").strip()[:_LONGEST_SEARCH]
        words = q.casefold().split()
        rows = [row for row in seen.rows(SPANS[span][1]) if bool(row.pair[1]) is (what == "offers")]
        shown = [row for row in rows if all(word in row.searched for word in words)]
        chosen = {"range": span if span != _USUAL_SPAN else "", "what": what, "q": q}
        listing = Listing.of(shown, read_page(asked, notices), PAGE, chosen)
        return cls(seen, listing, span, what, q, notices, rows)

    @property
    def span_label(self) -> str:
        return SPANS[self.span][0]

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """The ranges as links: address, label, whether it is this one."""
        return [
            (self._link("range", key), label, key == self.span) for key, (label, _) in SPANS.items()
        ]

    @property
    def kinds(self) -> list[tuple[str, str, bool]]:
        return [(self._link("what", key), label, key == self.what) for key, label in _WHAT.items()]

    def _link(self, name: str, value: str) -> str:
        query = QueryDict(mutable=True)
        query.update({key: one for key, one in {**self.listing.chosen, name: value}.items() if one})
        return f"?{query.urlencode()}"

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Clock times along the bands: place in per cent, and the time."""
        now_s, span_s = self.seen.survey.at_s, SPANS[self.span][1]
        step_s = span_s / _TICKS
        first_s = (now_s - span_s) // step_s * step_s + step_s
        times = [first_s + number * step_s for number in range(_TICKS)]
        return [
            (round(100 * (1 - (now_s - at_s) / span_s), 1), _tick(at_s, span_s))
            for at_s in times
            if 0.06 < 1 - (now_s - at_s) / span_s < 0.92  # noqa: PLR2004 - room for "now"
        ]

    @cached_property
    def story(self) -> list[StoryLine]:
        return list(islice(self.seen.story(), _STORY_LINES))

    csv_header: ClassVar = ["at", "provider", "model", "change", "until", "reason", "by"]

    def csv_rows(self) -> list[list[object]]:
        return [
            [
                line.at.isoformat(),
                line.change.provider,
                line.change.model or "",
                line.change.kind,
                line.until.isoformat() if line.until else "",
                line.change.reason,
                line.change.by,
            ]
            for line in self.seen.story()
        ]

    def tiles(self) -> list[Tile]:
        providers = self.seen.rows(SPANS["24h"][1])
        offers = [row for row in providers if row.pair[1]]
        own = [row for row in providers if not row.pair[1]]
        shown = offers if self.what else own
        states = Counter(row.watch.state for row in shown)
        other = own if self.what else offers
        closed = sum(row.watch.state is BreakerState.CLOSED for row in other)
        return [
            Tile(
                "closed",
                "Closed",
                str(states[BreakerState.CLOSED]),
                f"of {len(shown)}",
                f"{closed} of {len(other)} {'providers' if self.what else 'offers'}",
            ),
            _state_tile("open", "Open", BreakerState.OPEN, shown),
            _state_tile("half", "Half-open", BreakerState.HALF_OPEN, shown),
            Tile(
                "opened",
                "Opened, 24 h",
                formats.quantity(sum(row.opened for row in shown)),
                "times",
                f"{formats.quantity(sum(row.opened_today for row in shown))} today",
            ),
            Tile(
                "forced",
                "Forced by hand",
                formats.quantity(sum(row.watch.is_forced for row in shown)),
                "",
                _some_names([row for row in shown if row.watch.is_forced]) or "nobody did",
            ),
        ]


@dataclass(frozen=True)
class BreakerDetail:
    """One breaker: how it stands, its rates over the last minutes, its story."""

    row: BreakerRow
    seen: Seen
    looks: Sequence[tuple[float, Any]]  # time and watch, oldest first

    @classmethod
    def of(cls, samples: Sequence[Sample], pair: Pair) -> BreakerDetail | None:
        """None where there is no such breaker now."""
        seen: Seen = samples[-1].value
        row = next((one for one in seen.rows(SPANS["24h"][1]) if one.pair == pair), None)
        if row is None:
            return None
        looks = [
            (one.value.survey.at_s, watch)
            for one in samples
            if (watch := one.value.survey.breakers.get(pair)) is not None
        ]
        return cls(row, seen, looks)

    @property
    def story(self) -> list[StoryLine]:
        return self.seen.story(self.row.pair)[:50]

    def rates(self) -> dict[str, Any]:
        return with_marks(rates_figure(self.looks), self.seen.marks)

    @property
    def figure(self) -> dict[str, Any]:
        return blank(self.rates())

    def csv_rows(self) -> list[list[object]]:
        return [
            [moment(at_s).isoformat(), watch.state, watch.calls, watch.failures, watch.slow]
            for at_s, watch in self.looks
        ]


def asked_pair(asked: QueryDict) -> Pair:
    return asked.get("provider", ""), asked.get("model", "") or None


def state_of(samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
    """What the page is told each second: the list, or one breaker where the address names it."""
    if "model" in asked:
        detail = BreakerDetail.of(samples, asked_pair(asked))
        return _detail_state(detail) if detail else {}
    shown = BreakerListing.of(samples[-1].value, asked)
    return {
        "tiles": [
            {"key": one.key, "figure": one.figure, "unit": one.unit, "note": one.note}
            for one in shown.tiles()
        ],
        "parts": {
            "rows": render_to_string("monitoring/breakers/_rows.html", {"shown": shown}),
            "story": render_to_string("monitoring/breakers/_story.html", {"lines": shown.story}),
        },
    }


def _detail_state(detail: BreakerDetail) -> Mapping[str, Any]:
    return {
        "charts": {"figure-rates": detail.rates()},
        "parts": {
            "state": render_to_string("monitoring/breakers/_state.html", {"row": detail.row}),
            "why": render_to_string("monitoring/breakers/_why.html", {"row": detail.row}),
            "story": render_to_string("monitoring/breakers/_story.html", {"lines": detail.story}),
        },
    }


def _state_tile(key: str, label: str, state: BreakerState, rows: Sequence[BreakerRow]) -> Tile:
    found = [row for row in rows if row.watch.state is state]
    return Tile(key, label, str(len(found)), "", _some_names(found) or "none")


def _some_names(rows: Sequence[BreakerRow]) -> str:
    if len(rows) <= 1:
        return rows[0].names.label if rows else ""
    return f"{rows[0].names.label} and {len(rows) - 1} more"


def _tick(at_s: float, span_s: float) -> str:
    local: datetime = timezone.localtime(moment(at_s))
    is_days = span_s > 86_400  # noqa: PLR2004 - a day
    return f"{local.day}. {local:%H}:00" if is_days else f"{local:%H:%M}"

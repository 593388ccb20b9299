"""One quota's page: its charts, its limits and where they come from, when each runs out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.template.loader import render_to_string

from catalog.known_limits import KnownLimit, Pin, known_limits
from freellm_site.lib import format as formats
from gateway.limiter.quota import LimitSource
from gateway.limiter.survey import PoolName, Survey, WindowView
from monitoring.charts import Mark, with_marks
from monitoring.limits.figures import TONES, blank, clock_time, level_figure, waiting_figure
from monitoring.limits.forecast import DRAWN, forecast_figure, used_by_step
from monitoring.limits.history import PoolHistory
from monitoring.limits.pools import PoolFacts
from monitoring.limits.refusals import RefusedOutside
from monitoring.limits.rows import PoolRow, moment, rate_words, reset_words, span_words, when_words

_TABLE_EVERY = 5  # samples
_BY_HAND = LimitSource.PINNED


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit of the quota now."""

    window: WindowView
    now_s: float
    share: float  # of its rate that is given out while it warms up
    known: KnownLimit | None  # None: it is only assumed

    @property
    def unit(self) -> str:
        return self.window.limit.unit.value.capitalize()

    @property
    def span(self) -> str:
        return span_words(self.window).split(" ", 1)[1]

    @property
    def rate(self) -> str:
        """The refill rate in force."""
        return rate_words(self.window.per_s * self.share, self.window.limit.unit)

    @property
    def ceiling(self) -> str:
        """The published one, where it is another."""
        limit = self.window.limit
        most = rate_words(limit.amount / limit.window.seconds, limit.unit)
        return most if most != self.rate else ""

    @property
    def runs_out(self) -> str:
        if self.window.left == 0:
            return "out"
        if not self.window.lately_since:
            return formats.MISSING  # it is full again before one could look
        out_s = self.window.runs_out_in_s(self.now_s)
        if out_s is None:
            return "lasts"
        return when_words(moment(self.now_s + out_s), self.now_s)

    @property
    def resets(self) -> str:
        return reset_words(self.window, self.now_s)


@dataclass(frozen=True, slots=True)
class LevelPanel:
    """The chart of one limit."""

    name: str
    title: str
    figure_id: str
    figure: dict[str, Any]
    row: LimitRow
    is_forecast: bool

    @property
    def tone(self) -> str:
        return f"s{TONES[self.row.window.limit.unit]}"


@dataclass(frozen=True)
class PoolDetail:
    """One quota and its last minutes."""

    row: PoolRow
    history: PoolHistory
    refusals: Sequence[RefusedOutside]
    marks: Sequence[Mark] = ()

    @classmethod
    def of(
        cls,
        facts: PoolFacts,
        surveys: Sequence[Survey],
        refusals: Sequence[RefusedOutside],
        marks: Sequence[Mark] = (),
    ) -> PoolDetail:
        history = PoolHistory.of(facts.name, surveys)
        row = PoolRow(facts, history.now, history.now_s, len(refusals))
        return cls(row, history, refusals, marks)

    @property
    def name(self) -> PoolName:
        return self.row.facts.name

    @cached_property
    def limits(self) -> list[LimitRow]:
        """The shortest window first."""
        view, now_s = self.row.view, self.row.now_s
        share = view.share_at(now_s)
        windows = sorted(view.windows, key=lambda one: (one.limit.window.seconds, one.limit.unit))
        facts = self.row.facts
        pin = Pin({one.limit.name: one.held for one in windows if one.source is _BY_HAND})
        known = known_limits(facts.published, facts.published_on, view.level(now_s), pin)
        of_name = {one.name: one for one in known}
        return [
            LimitRow(one, now_s, share if one.warms_up else 1.0, of_name.get(one.limit.name))
            for one in windows
        ]

    @cached_property
    def panels(self) -> list[LevelPanel]:
        """Of an hour or a day, five minutes say little: those look back, and ahead."""
        return [self._panel(row) for row in self.limits]

    def _panel(self, row: LimitRow) -> LevelPanel:
        name, is_forecast = row.window.limit.name, _is_forecast(row.window)
        figure = self._forecast(row.window) if is_forecast else self._figure(name)
        return LevelPanel(
            name, f"{row.unit} left, {row.span}", f"figure-{name}", blank(figure), row, is_forecast
        )

    def _forecast(self, window: WindowView) -> dict[str, Any]:
        now_s, models = self.row.now_s, list(self.row.facts.models)
        return forecast_figure(window, used_by_step(self.name, models, window, now_s), now_s)

    @property
    def waiting(self) -> dict[str, Any]:
        return blank(waiting_figure(self.history))

    def _figure(self, name: str) -> dict[str, Any]:
        return with_marks(level_figure(self.history, name, self.refusals), self.marks)

    def state(self) -> Mapping[str, Any]:
        """What the page is told each second."""
        names = [one.window.limit.name for one in self.limits if not _is_forecast(one.window)]
        charts = {f"figure-{name}": self._figure(name) for name in names}
        texts = {
            f"{which}-{row.window.limit.name}": formats.quantity(amount)
            for row in self.limits
            for which, amount in (("left", row.window.left), ("held", row.window.held))
        }
        return {
            "charts": {**charts, "figure-waiting": waiting_figure(self.history)},
            "texts": {**texts, "waiting": formats.quantity(self.row.view.waiting)},
            "parts": {
                "state": render_to_string("monitoring/_limit_state.html", {"row": self.row}),
                "limits": render_to_string("monitoring/_limit_figures.html", {"detail": self}),
            },
        }

    @property
    def columns(self) -> list[str]:
        """Of the charts' figures as a table."""
        return [f"{row.unit} left {row.span}" for row in self.limits]

    @property
    def figures(self) -> list[tuple[str, list[str], int]]:
        """Newest first: time, what was left of each limit, who waited."""
        rows = list(self._figures())[::-1][::_TABLE_EVERY]
        return [
            (at[11:19], [formats.quantity(left) for left in lefts], waiting)
            for at, lefts, waiting in rows
        ]

    @property
    def csv_header(self) -> list[str]:
        return ["time", *(f"left_{row.window.limit.name}" for row in self.limits), "waiting"]

    def csv_rows(self) -> list[list[object]]:
        return [[at, *lefts, waiting] for at, lefts, waiting in self._figures()]

    def _figures(self) -> Iterator[tuple[str, list[int | None], int]]:
        names = [row.window.limit.name for row in self.limits]
        for at_s, view in self.history.points:
            left = {one.limit.name: one.left for one in view.windows}
            yield clock_time(at_s), [left.get(name) for name in names], view.waiting


def _is_forecast(window: WindowView) -> bool:
    return window.limit.window in DRAWN

"""What the traffic page shows of a picture: tiles, legends, columns. The same live and still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from freellm_site.lib import format as formats
from monitoring.models import Course
from monitoring.ranges import LIVE, Range, clock_times
from monitoring.series import PERCENTILES, Column, Measure, Picture, Series, Step
from monitoring.subjects import EVERYTHING, OF_A_PROVIDER, Kind, Subject

# In the live minutes counts are drawn as rates, in longer ranges as counts per step.
_COUNTED = (*(str(course) for course in Course), "prompt_tokens", "completion_tokens", "throttled")


@dataclass(frozen=True, slots=True)
class Tile:
    key: str
    label: str
    figure: str
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class FigureRow:
    time: str
    step: Step
    calls_query: str  # the address of its calls

    @property
    def counts(self) -> list[int]:
        return [self.step.courses.get(course, 0) for course in Course]

    @property
    def percentiles(self) -> list[float | None]:
        """Of the first token and of the answer: p50, p95, p99, seconds."""
        names = ("first_token", "first_token_p95", "first_token_p99", "p50", "p95", "p99")
        return [self.step.percentile(*PERCENTILES[name]) for name in names]


@dataclass(frozen=True)
class Traffic:
    """One range of time: all calls, or those of one provider, model, key or user.

    The picture also holds the busiest of the kind `by`.
    """

    range: Range
    picture: Picture
    subject: Subject = EVERYTHING
    by: Kind = Kind.PROVIDER
    calls_per_s: float | None = None  # measured over the last seconds; None: the range's mean

    @cached_property
    def series(self) -> Series:
        return self.picture.series(self.subject)

    @cached_property
    def total(self) -> Step:
        return self.series.total()

    @cached_property
    def times(self) -> list[str]:
        return clock_times(self.series.starts)

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        columns = self.series.columns()
        if self.range is not LIVE:
            return columns
        return {
            name: [_rate(value) for value in column] if name in _COUNTED else column
            for name, column in columns.items()
        }

    @property
    def counted_per(self) -> str:
        """What the height of a bar means."""
        return "per second" if self.range is LIVE else "per step"

    def tiles(self) -> list[Tile]:
        total = self.total
        return [
            self._rate_tile(),
            _tile(
                "answered",
                "Answered",
                formats.percent(total.answered_share),
                f"{formats.quantity(total.failed)} failed after all attempts",
            ),
            _tile(
                "throttled",
                "429 per call sent",
                formats.percent(total.throttled_share),
                f"{formats.quantity(total.throttled)} in {formats.counted(total.calls, 'call')}",
            ),
            self._percentiles_tile("latency", "Time to answer, p50", "duration_s"),
            self._percentiles_tile("first_token", "First token, p50", "first_token_s"),
            _tile(
                "tokens",
                "Tokens out",
                formats.quantity(total.completion_tokens),
                f"{formats.quantity(total.prompt_tokens)} in",
            ),
            _tile(
                "cached",
                "Served by a cache",
                formats.percent(total.cached_share),
                f"{formats.counted(total.cached, 'call')}, no quota spent",
            ),
        ]

    def _percentiles_tile(self, key: str, label: str, measure: Measure) -> Tile:
        p50, p95, p99 = (
            formats.seconds(self.total.percentile(measure, share)) for share in (0.5, 0.95, 0.99)
        )
        return _tile(key, label, p50, f"p95 {p95}, p99 {p99}")

    def _rate_tile(self) -> Tile:
        rate, of = self.calls_per_s, "in the last 10 s"
        if rate is None:
            rate, of = self.total.calls / self.range.span_s, "on average"
        figure = formats.quantity(rate) if rate >= 0.01 or not rate else "<0.01"  # noqa: PLR2004 - two decimals are shown
        calls = formats.quantity(self.total.calls)
        return Tile("rate", "Calls", calls, f"in {self.range.label}", f"{figure} per s {of}")

    def totals(self) -> dict[str, str]:
        """Beside each legend entry: the whole range's count, share or percentile."""
        total = self.total
        counts = {str(course): total.courses.get(course, 0) for course in Course}
        counts |= {
            "prompt_tokens": total.prompt_tokens,
            "completion_tokens": total.completion_tokens,
        }
        percentiles = {name: total.percentile(*wanted) for name, wanted in PERCENTILES.items()}
        speed = percentiles.pop("speed")
        return {
            **{name: formats.quantity(count) for name, count in counts.items()},
            "answered_share": formats.percent(total.answered_share),
            "cached_share": formats.percent(total.cached_share),
            "throttled_share": formats.percent(total.throttled_share),
            **{name: formats.seconds(value) for name, value in percentiles.items()},
            "speed": formats.with_unit(formats.quantity(speed), "tok/s"),
        }

    def rows(self) -> list[FigureRow]:
        """The charts' figures for a table: steps with calls, newest first, counts as counted."""
        starts = zip(self.times, self.series.starts, self.series.steps, strict=True)
        found = [
            FigureRow(time, step, self._calls_query(start_s))
            for time, start_s, step in starts
            if step.calls
        ]
        return found[::-1]

    @property
    def query(self) -> str:
        """The address of what is shown, its range aside."""
        said = [self.subject.query, urlencode({"by": self.by}) if self.by != Kind.PROVIDER else ""]
        return "&".join(filter(None, said))

    @property
    def is_within(self) -> bool:
        """Whether the table holds one provider's models or keys only."""
        return self.by in OF_A_PROVIDER and bool(self.subject.provider)

    @property
    def lead_s(self) -> int:
        """Live calls are counted when they end, the table of calls knows when they began."""
        return self.range.step_s if self.range is LIVE else 0

    def _calls_query(self, start_s: int) -> str:
        since, until = (
            one.replace(" ", "T")
            for one in clock_times([start_s - self.lead_s, start_s + self.range.step_s])
        )
        span = urlencode({"since": since, "until": until}, safe=":")
        return "&".join(filter(None, [self.subject.query, span]))

    def state(self) -> dict[str, Any]:
        """What the live page is sent, about once a second."""
        return {
            "times": self.times,
            "columns": self.columns,
            "tiles": [asdict(tile) for tile in self.tiles()],
            "totals": self.totals(),
            "calls": self.total.calls,
        }


def _tile(key: str, label: str, text: str, note: str) -> Tile:
    figure, _, unit = text.partition(formats.SPACE)
    return Tile(key, label, figure, unit, note)


def _rate(count: float | None) -> float | None:
    return None if count is None else round(count / LIVE.step_s, 2)

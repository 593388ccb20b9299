"""What the traffic page shows of a picture: tiles, legends, columns. The same live and still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.utils import timezone

from freellm_site.lib import format as formats
from monitoring.models import Course
from monitoring.ranges import LIVE, Range
from monitoring.series import Column, Picture, Series, Step

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

    @property
    def counts(self) -> list[int]:
        return [self.step.courses.get(course, 0) for course in Course]

    @property
    def first_token_s(self) -> float | None:
        return self.step.percentile("first_token_s", 0.5)

    @property
    def p50_s(self) -> float | None:
        return self.step.percentile("duration_s", 0.5)

    @property
    def p95_s(self) -> float | None:
        return self.step.percentile("duration_s", 0.95)


@dataclass(frozen=True)
class Traffic:
    """One range of time, of one provider ("" for all)."""

    range: Range
    picture: Picture
    provider: str = ""
    calls_per_s: float | None = None  # measured over the last seconds; None: the range's mean

    @cached_property
    def series(self) -> Series:
        return self.picture.series(self.provider)

    @cached_property
    def total(self) -> Step:
        return self.series.total()

    @cached_property
    def times(self) -> list[str]:
        """The steps' starts as Plotly reads them: clock times of the site's zone, without it."""
        zone = timezone.get_current_timezone()
        return [
            datetime.fromtimestamp(start, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
            for start in self.series.starts
        ]

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
                "latency",
                "Time to answer, p50",
                formats.seconds(total.percentile("duration_s", 0.5)),
                f"p95 {formats.seconds(total.percentile('duration_s', 0.95))}",
            ),
            _tile(
                "first_token",
                "First token, p50",
                formats.seconds(total.percentile("first_token_s", 0.5)),
                f"p95 {formats.seconds(total.percentile('first_token_s', 0.95))}",
            ),
            _tile(
                "tokens",
                "Tokens out",
                formats.quantity(total.completion_tokens),
                f"{formats.quantity(total.prompt_tokens)} in",
            ),
            _tile(
                "throttled",
                "429 from outside",
                formats.quantity(total.throttled),
                f"in {formats.counted(total.calls, 'call')}",
            ),
        ]

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
        return {name: formats.quantity(count) for name, count in counts.items()} | {
            "answered_share": formats.percent(total.answered_share),
            "p50": formats.seconds(total.percentile("duration_s", 0.5)),
            "p95": formats.seconds(total.percentile("duration_s", 0.95)),
            "first_token": formats.seconds(total.percentile("first_token_s", 0.5)),
        }

    def rows(self) -> list[FigureRow]:
        """The charts' figures for a table: steps with calls, newest first, counts as counted."""
        both = zip(self.times, self.series.steps, strict=True)
        return [FigureRow(time, step) for time, step in both if step.calls][::-1]

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

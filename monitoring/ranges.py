"""The spans of time a page can look back over, and the steps they are counted in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone


@dataclass(frozen=True, slots=True)
class Range:
    key: str  # in the address
    label: str
    span_s: int
    step_s: int
    steps_in_words: str
    tick_format: str = "%H:%M"  # of the charts' time axis

    @property
    def length(self) -> int:
        return self.span_s // self.step_s

    def first_s(self, now_s: float) -> int:
        """Where the first step starts, so that the step of `now_s` is the last one."""
        return int(now_s) // self.step_s * self.step_s - self.span_s + self.step_s


def clock_times(starts: Iterable[int]) -> list[str]:
    """Unix times as Plotly reads them: clock times of the site's zone, without it."""
    zone = timezone.get_current_timezone()
    return [
        datetime.fromtimestamp(start, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        for start in starts
    ]


DAY_S = 86_400

LIVE = Range("5m", "5 min", 300, 5, "steps of 5 s")
HOUR = Range("1h", "1 h", 3_600, 60, "steps of 1 min")
DAY = Range("24h", "24 h", DAY_S, 1_800, "half-hour steps")
WEEK = Range("7d", "7 d", 7 * DAY_S, 3 * 3_600, "steps of 3 h", "%-d %b")
MONTH = Range("30d", "30 d", 30 * DAY_S, DAY_S, "days of UTC", "%-d %b")
QUARTER = Range("90d", "90 d", 90 * DAY_S, DAY_S, "days of UTC", "%-d %b")

# What is kept of the live minutes, for a process that has no reader.
LIVE_KEPT = Range(LIVE.key, LIVE.label, LIVE.span_s, HOUR.step_s, HOUR.steps_in_words)

RANGES = {one.key: one for one in (LIVE, HOUR, DAY, WEEK, MONTH, QUARTER)}
# Calls are added up in each of these as they are recorded, so no page ever adds up calls.
STEPS_S = sorted({one.step_s for one in RANGES.values() if one is not LIVE})
_SPARE_S = 3_600  # sums are kept for so much longer than a chart looks back


def kept_for_s(step_s: int) -> float:
    """How long sums of steps of this length are kept. Days are kept by a setting of their own."""
    if step_s == DAY_S:
        return float(settings.ROLLUP_RETENTION_DAYS * DAY_S)
    return max(one.span_s for one in RANGES.values() if one.step_s == step_s) + _SPARE_S

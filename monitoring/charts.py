"""Plotly figures, pure: numbers in, JSON out.

Colours are named by the site's CSS tokens, as `var(--chart-1)`; the browser puts in what the
token means in the theme of the moment. A trace's `meta` names the column it draws, so that the
live page replaces the numbers and never rebuilds the figure.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from monitoring.models import Course
from monitoring.series import Column

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TEMPLATE = Path(__file__).with_name("plotly_template.json")


@dataclass(frozen=True, slots=True)
class Trace:
    column: str
    label: str
    tone: str  # the class of the legend's swatch: s1 ... s8, s0, sbad
    token: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What a panel with a chart says, whatever the numbers."""

    key: str
    title: str
    kind: Literal["bars", "lines"]
    traces: tuple[Trace, ...]
    suffix: str = ""  # behind every value
    highest: float | None = None  # fixes the axis, else it follows the data

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(trace.column for trace in self.traces)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment, such as a change of the policy."""

    at: str  # a clock time of the site's zone, as the steps' starts are
    text: str  # plain; lines end with a newline


CALLS = Chart(
    "calls",
    "Calls by outcome",
    "bars",
    (
        Trace(Course.FIRST, "first target", "s1", "--chart-1"),
        Trace(Course.CACHE, "cache", "s0", "--color-idle-fill"),
        Trace(Course.FALLBACK, "fallback", "s2", "--chart-2"),
        Trace(Course.FAILED, "failed", "sbad", "--color-bad-fill"),
        Trace(Course.CANCELLED, "cancelled", "s7", "--chart-7"),
    ),
)
SHARES = Chart(
    "shares",
    "Answered, cached, refused",
    "lines",
    (
        Trace("answered_share", "answered", "s1", "--chart-1"),
        Trace("cached_share", "from a cache", "s0", "--color-idle-fill"),
        Trace("throttled_share", "429 per call sent", "sbad", "--color-bad-fill"),
    ),
    suffix=" %",
)
LATENCY = Chart(
    "latency",
    "Time to answer",
    "lines",
    (
        Trace("p50", "p50", "s1", "--chart-1"),
        Trace("p95", "p95", "s3", "--chart-3"),
        Trace("p99", "p99", "s2", "--chart-2"),
    ),
    suffix=" s",
)
FIRST_TOKEN = Chart(
    "first-token",
    "Time to first token",
    "lines",
    (
        Trace("first_token", "p50", "s1", "--chart-1"),
        Trace("first_token_p95", "p95", "s3", "--chart-3"),
        Trace("first_token_p99", "p99", "s2", "--chart-2"),
    ),
    suffix=" s",
)
TOKENS = Chart(
    "tokens",
    "Tokens",
    "bars",
    (
        Trace("prompt_tokens", "in", "s3", "--chart-3"),
        Trace("completion_tokens", "out", "s1", "--chart-1"),
    ),
)
SPEED = Chart(
    "speed",
    "Speed after the first token",
    "lines",
    (Trace("speed", "p50", "s4", "--chart-4"),),
    suffix=" tok/s",
)
CACHE = Chart(
    "cache",
    "Hit rate by tier",
    "bars",
    (
        Trace("memory", "memory", "s1", "--chart-1"),
        Trace("disk", "disk", "s4", "--chart-4"),
        Trace("redis", "Redis", "s3", "--chart-3"),
        Trace("flight", "joined in flight", "s6", "--chart-6"),
    ),
    suffix=" %",
)

QUEUE = Chart(
    "queue",
    "Places, taken and waited for",
    "lines",
    (
        Trace("limit", "may run at once", "s0", "--color-idle-fill"),
        Trace("running", "run", "s1", "--chart-1"),
        Trace("waiting", "wait for a place", "s2", "--chart-2"),
    ),
)


def _replayed(key: str, title: str, what: str, kind: Literal["bars", "lines"]) -> Chart:
    traces = (
        Trace(f"was_{what}", "as it was", "s0", "--color-idle-fill"),
        Trace(f"as_is_{what}", "replayed, tuned as now", "s3", "--chart-3"),
        Trace(f"proposed_{what}", "replayed, tuned like this", "s1", "--chart-1"),
    )
    return Chart(key, title, kind, traces)


REPLAYED_THROUGH = _replayed("replayed-through", "Calls let through", "through", "lines")
REPLAYED_REFUSED = _replayed("replayed-refused", "Calls refused here", "refused", "lines")


def figure_fields(
    chart: Chart, times: Sequence[str], columns: Mapping[str, Column], tick_format: str = "%H:%M"
) -> dict[str, Any]:
    """The chart with its numbers, for `json_script`.

    `times` are the steps' starts, as clock times of the site's zone.
    """
    fields: dict[str, Any] = json.loads(_blank(chart))
    for trace in fields["data"]:
        trace["x"] = list(times)
        trace["y"] = columns[trace["meta"]["column"]]
    fields["layout"].setdefault("xaxis", {})["tickformat"] = tick_format
    return fields


def with_marks(figure: dict[str, Any], marks: Iterable[Mark]) -> dict[str, Any]:
    """The figure with a dotted line and a wedge at each mark, whose text is told on hovering."""
    layout = figure["layout"]
    for mark in marks:
        layout.setdefault("shapes", []).append(
            {
                **_AT_A_MOMENT,
                "type": "line",
                "layer": "below",
                "x0": mark.at,
                "x1": mark.at,
                "y0": 0,
                "y1": 1,
                "line": {"color": "var(--color-ink-3)", "width": 1, "dash": "dot"},
            }
        )
        layout.setdefault("annotations", []).append(
            {
                **_AT_A_MOMENT,
                "x": mark.at,
                "y": 1,
                "yanchor": "top",
                "text": "▾",
                "showarrow": False,
                "font": {"color": "var(--color-ink-2)", "size": 12},
                "hovertext": html.escape(mark.text).replace("\n", "<br>"),
            }
        )
    return figure


_AT_A_MOMENT = {"xref": "x", "yref": "paper"}


def layout_of() -> dict[str, Any]:
    """What every figure's layout begins with: the tokens as a template, and no legend."""
    return {"template": json.loads(TEMPLATE.read_text()), "showlegend": False}


@lru_cache(maxsize=16)
def _blank(chart: Chart) -> str:
    """The figure without numbers, validated by plotly once: that takes a tenth of a second."""
    blank: str = _figure(chart).to_json()
    return blank


def _figure(chart: Chart) -> Figure:
    # Imported here: plotly costs memory that a process without chart pages need not pay.
    import plotly.graph_objects as go  # noqa: PLC0415

    made = go.Figure(layout=layout_of())
    for trace in chart.traces:
        made.add_trace(_trace(chart, trace))
    made.update_yaxes(ticksuffix=chart.suffix)
    if chart.highest is not None:
        made.update_yaxes(range=[0, chart.highest * 1.04])
    return made


def _trace(chart: Chart, trace: Trace) -> dict[str, Any]:
    colour = f"var({trace.token})"
    fields: dict[str, Any] = {
        "name": trace.label,
        "meta": {
            "column": str(trace.column),
            "outcome": str(trace.column) if trace.column in Course.values else "",
        },
        "hovertemplate": f"%{{y}}{chart.suffix}",
        "marker": {"color": colour},
    }
    if chart.kind == "bars":
        return {**fields, "type": "bar"}
    # A lone value between gaps is a dot, because a line needs two ends.
    return {**fields, "type": "scatter", "mode": "lines+markers", "line": {"color": colour}}

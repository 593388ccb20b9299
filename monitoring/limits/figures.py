"""The charts of one quota: what is left of each limit, and who waits. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from gateway.limiter.survey import WindowView
from gateway.types import Unit
from monitoring.charts import layout_of
from monitoring.limits.history import SPAN_S, Correction, Phase, PoolHistory
from monitoring.limits.refusals import RefusedOutside

TONES = {Unit.REQUESTS: 1, Unit.TOKENS: 3, Unit.NEURONS: 4}  # the chart's colours
_HIDDEN = {"showlegend": False}


def clock_time(at_s: float) -> str:
    """As Plotly reads it: a clock time of the site's zone, without the zone."""
    zone = timezone.get_current_timezone()
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S.%f")[:-5]


def level_figure(
    history: PoolHistory, name: str, refusals: Sequence[RefusedOutside]
) -> dict[str, Any]:
    """What was left of one limit, against what held; phases, refusals and corrections marked."""
    points = history.window(name)
    top = max((window.held for _, window in points), default=1) or 1
    data = [
        *_left(points),
        _warming(history.warming if points and points[-1][1].warms_up else (), top),
        _refused(refusals),
        _corrected(history.corrections(name)),
    ]
    return {"data": data, "layout": _layout(history.now_s, top, history.resting)}


def waiting_figure(history: PoolHistory) -> dict[str, Any]:
    """How many calls waited."""
    counts = [view.waiting for _, view in history.points]
    bars = {
        "type": "scatter",
        "mode": "lines",
        "name": "waiting",
        "x": [clock_time(at_s) for at_s, _ in history.points],
        "y": counts,
        "fill": "tozeroy",
        "line": {"color": "var(--chart-2)", "shape": "hv"},
        "fillcolor": "var(--chart-area-2)",
        "hovertemplate": "%{y} waiting<extra></extra>",
    }
    top = max([2, *counts])
    layout = _layout(history.now_s, top, ())
    layout["yaxis"]["dtick"] = math.ceil(top / 4)
    return {"data": [bars], "layout": layout}


def blank(figure: dict[str, Any]) -> dict[str, Any]:
    """The same with the site's template, for the page; the stream leaves it out."""
    return {**figure, "layout": {**layout_of(), **figure["layout"]}}


def _left(points: Sequence[tuple[float, WindowView]]) -> list[dict[str, Any]]:
    tone = TONES[points[0][1].limit.unit] if points else 1
    times = [clock_time(at_s) for at_s, _ in points]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "left",
            "x": times,
            "y": [window.left for _, window in points],
            "fill": "tozeroy",
            "line": {"color": f"var(--chart-{tone})"},
            "fillcolor": f"var(--chart-area-{tone})",
            "hovertemplate": "%{y} left<extra></extra>",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": "in force",
            "x": times,
            "y": [window.held for _, window in points],
            "line": {"color": "var(--color-ink-2)", "width": 1, "dash": "dot", "shape": "hv"},
            "hovertemplate": "of %{y}<extra></extra>",
        },
    ]


def _warming(phases: Iterable[Phase], top: float) -> dict[str, Any]:
    """Hatched, because slower on purpose is no trouble."""
    x: list[str | None] = []
    y: list[float | None] = []
    for since_s, until_s in phases:
        since, until = clock_time(since_s), clock_time(until_s)
        x += [since, since, until, until, None]
        y += [0, top, top, 0, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "warm-up",
        "x": x,
        "y": y,
        "fill": "toself",
        "line": {"width": 0},
        "fillpattern": {
            "shape": "/",
            "size": 7,
            "solidity": 0.14,
            "fgcolor": "var(--color-accent-fill)",
            "bgcolor": "rgba(0,0,0,0)",
        },
        "hoverinfo": "skip",
    }


def _refused(refusals: Sequence[RefusedOutside]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "429 from outside",
        "x": [clock_time(one.at_s) for one in refusals],
        "y": [0] * len(refusals),
        "marker": {"symbol": "triangle-up", "size": 10, "color": "var(--color-bad-fill)"},
        "hovertemplate": "429 from outside<extra></extra>",
    }


def _corrected(corrections: Sequence[Correction]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "limit corrected",
        "x": [clock_time(one.at_s) for one in corrections],
        "y": [one.left for one in corrections],
        "text": [one.text for one in corrections],
        "marker": {
            "symbol": "diamond",
            "size": 9,
            "color": "var(--color-surface)",
            "line": {"color": "var(--color-accent-fill)", "width": 1.5},
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _layout(now_s: float, top: float, resting: Iterable[Phase]) -> dict[str, Any]:
    return {
        **_HIDDEN,
        "xaxis": window_axis(now_s),
        "yaxis": {"range": [0, top * 1.06]},
        "shapes": [shaded(*phase) for phase in resting],
        "annotations": [],
    }


def window_axis(now_s: float) -> dict[str, Any]:
    """The last minutes, whether there were looks in all of them or not."""
    return {
        "range": [clock_time(now_s - SPAN_S), clock_time(now_s)],
        "tickformat": "%H:%M",
        "nticks": 6,
    }


def shaded(since_s: float, until_s: float) -> dict[str, Any]:
    """A pale red field over the whole height: nothing went out."""
    return {
        "type": "rect",
        "layer": "below",
        "xref": "x",
        "yref": "paper",
        "x0": clock_time(since_s),
        "x1": clock_time(until_s),
        "y0": 0,
        "y1": 1,
        "line": {"width": 0},
        "fillcolor": "var(--chart-trouble)",
    }

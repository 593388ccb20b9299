"""The chart of one breaker: the shares of its window, against where it opens. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from gateway.resilience.breaker_rules import BreakerState
from gateway.resilience.watching import BreakerWatch
from monitoring.limits.figures import blank, clock_time, shaded, window_axis

__all__ = ["blank", "rates_figure"]

Looks = Sequence[tuple[float, BreakerWatch]]


def rates_figure(looks: Looks) -> dict[str, Any]:
    """Failed and slow calls in per cent of the window; shaded while it is open."""
    times = [clock_time(at_s) for at_s, _ in looks]
    return {
        "data": [
            _line("failed", times, [one.failure_share for _, one in looks], "--color-bad-fill"),
            _line("slow", times, [one.slow_share for _, one in looks], "--chart-2"),
            _threshold("opens at", times, [one.failure_rate for _, one in looks]),
        ],
        "layout": {
            "showlegend": False,
            "xaxis": window_axis(looks[-1][0]),
            "yaxis": {"range": [0, 104], "ticksuffix": " %", "nticks": 3},
            "shapes": [shaded(*phase) for phase in _open(looks)],
            "annotations": [],
        },
    }


def _line(name: str, times: list[str], shares: list[float | None], token: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": times,
        "y": [None if one is None else round(one * 100, 1) for one in shares],
        "line": {"color": f"var({token})"},
        "hovertemplate": f"%{{y}} {name}<extra></extra>",
    }


def _threshold(name: str, times: list[str], rates: list[float]) -> dict[str, Any]:
    return {
        **_line(name, times, list(rates), "--color-ink-2"),
        "line": {"color": "var(--color-ink-2)", "width": 1, "dash": "dot", "shape": "hv"},
        "hovertemplate": "opens at %{y}<extra></extra>",
    }


def _open(looks: Looks) -> list[tuple[float, float]]:
    phases = []
    for is_open, group in groupby(looks, key=lambda one: one[1].state is BreakerState.OPEN):
        members = list(group)
        if is_open:
            phases.append((members[0][0], members[-1][0]))
    return phases

"""Quotas of an hour or a day: how they went by the calls on record, and when they run out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, F, IntegerField, Sum
from django.db.models.functions import Cast

from gateway.limiter.survey import PoolName, WindowView
from gateway.types import Unit, Window
from monitoring.limits.figures import TONES, clock_time, shaded
from monitoring.models import CallRecord

STEPS = 48  # of a window
DRAWN = (Window.HOUR, Window.DAY)

Used = Mapping[int, int]  # by the Unix second at which a step begins


def used_by_step(name: PoolName, models: Sequence[str], window: WindowView, now_s: float) -> Used:
    """What the calls on record took from it, over two windows back. One query."""
    limit, step_s = window.limit, window.limit.window.seconds // STEPS
    calls = CallRecord.objects.filter(
        provider=name.provider,
        key_id=name.key_id,
        model__in=models,
        cached="",
        at_s__gte=int(now_s) - 2 * limit.window.seconds,
    ).order_by()
    step = Cast(F("at_s") / step_s, IntegerField())
    amount = Count("pk") if limit.unit is Unit.REQUESTS else _TOKENS
    rows = calls.values(step=step).annotate(amount=amount).values_list("step", "amount")
    return {number * step_s: used or 0 for number, used in rows}


_TOKENS = Sum(F("prompt_tokens") + F("completion_tokens"))


def forecast_figure(window: WindowView, used: Used, now_s: float) -> dict[str, Any]:
    """What was left, what is, and what will be at the rate of lately; red where nothing is."""
    out_s = window.runs_out_in_s(now_s)
    ends_s = _end_s(window, now_s)
    points = _past(window, used, now_s)
    layout: dict[str, Any] = {
        "showlegend": False,
        "xaxis": {
            "range": [clock_time(points[0][0]), clock_time(ends_s)],
            "tickformat": "%H:%M",
            "nticks": 6,
        },
        "yaxis": {"range": [0, max(window.held, 1) * 1.06]},
        "shapes": [shaded(now_s + out_s, ends_s)] if out_s is not None else [],
        "annotations": [],
    }
    return {"data": [_left(window, points), _ahead(window, now_s, ends_s, out_s)], "layout": layout}


def _end_s(window: WindowView, now_s: float) -> float:
    """Where the provider's day ends, else half a window ahead."""
    if window.limit.resets_in and window.free_at > now_s:
        return window.free_at
    return now_s + window.limit.window.seconds / 2


def _past(window: WindowView, used: Used, now_s: float) -> list[tuple[float, int]]:
    """By the calls on record; the last point is what the limiter says now."""
    length_s = window.limit.window.seconds
    step_s = length_s // STEPS
    begins_s = window.lately_since if window.limit.resets_in else now_s - length_s
    first_s = int(begins_s) // step_s * step_s
    points = []
    for at_s in range(first_s, int(now_s), step_s):
        since_s = begins_s if window.limit.resets_in else at_s - length_s
        taken = sum(amount for start_s, amount in used.items() if since_s <= start_s < at_s)
        points.append((float(at_s), max(0, window.held - taken)))
    return [*points, (now_s, window.left)]


def _left(window: WindowView, points: Sequence[tuple[float, int]]) -> dict[str, Any]:
    tone = TONES[window.limit.unit]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "left",
        "x": [clock_time(at_s) for at_s, _ in points],
        "y": [left for _, left in points],
        "fill": "tozeroy",
        "line": {"color": f"var(--chart-{tone})"},
        "fillcolor": f"var(--chart-area-{tone})",
        "hovertemplate": "%{y} left<extra></extra>",
    }


def _ahead(window: WindowView, now_s: float, ends_s: float, out_s: float | None) -> dict[str, Any]:
    """Dashed, because nobody has measured it."""
    until_s = ends_s if out_s is None else now_s + out_s
    lost = max(0.0, window.net_per_s(now_s)) * (until_s - now_s)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "at the rate of lately",
        "x": [clock_time(now_s), clock_time(until_s)],
        "y": [window.left, max(0, round(window.left - lost))],
        "line": {"color": f"var(--chart-{TONES[window.limit.unit]})", "dash": "dash"},
        "hovertemplate": "%{y} at the rate of lately<extra></extra>",
    }

"""Traffic: what goes through the house now, and what went through it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.models import Provider
from monitoring import charts, live
from monitoring.exporting import csv_file
from monitoring.getting_started import COOKIE_AGE_S, WATCHED_COOKIE
from monitoring.health import ProviderHealth, provider_healths
from monitoring.history import picture_of
from monitoring.models import CallRecord
from monitoring.ranges import LIVE, LIVE_KEPT, RANGES, Range
from monitoring.standing import standing
from monitoring.subject_rows import names_of, subject_rows
from monitoring.subjects import (
    EVERYTHING,
    OF_A_PROVIDER,
    TOLD_APART,
    Kind,
    Subject,
    asked_kind,
    asked_subject,
)
from monitoring.traffic import Traffic
from monitoring.tuning.marks import marks_between

CHARTS = (
    *(charts.CALLS, charts.SHARES, charts.LATENCY),
    *(charts.FIRST_TOKEN, charts.TOKENS, charts.SPEED),
)
# plotly.js writes style elements of its own (docs/decisions/0002-plotly-styles.md).
PLOTLY_STYLES = {"style-src": ["'unsafe-inline'"]}


@require_safe
@csp_update(PLOTLY_STYLES)
def traffic(request: HttpRequest) -> HttpResponse:
    """`?range=5m|1h|24h|7d|30d|90d&by=...&provider=...`; what is unknown is said on the page."""
    shown, problem = _asked(request)
    context = {
        **_names(shown.subject),
        "standing": standing(),
        "providers": list(Provider.objects.order_by("name").values_list("slug", "name")),
        "traffic": shown,
        "ranges": RANGES.values(),
        "problem": problem,
        "is_live": shown.range is LIVE,
        "has_no_reader": shown.range is LIVE_KEPT,
        "has_calls": shown.picture.has_calls or CallRecord.objects.exists(),
        "panels": chart_panels(shown, CHARTS),
        **_table(shown),
    }
    response = render(request, "monitoring/traffic.html", context)
    if not request.COOKIES.get(WATCHED_COOKIE):
        response.set_cookie(
            WATCHED_COOKIE,
            "yes",
            max_age=COOKIE_AGE_S,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


@require_safe
def traffic_standing(request: HttpRequest) -> HttpResponse:
    """What holds calls back now, fetched again every few seconds by the live page."""
    return render(request, "monitoring/_standing.html", {"standing": standing()})


@require_safe
def traffic_rows(request: HttpRequest) -> HttpResponse:
    """The table's rows alone, fetched again every few seconds by the live page."""
    shown, _ = _asked(request)
    context = {"traffic": shown, **_table(shown)}
    return render(request, "monitoring/_subject_rows.html", context)


@require_safe
def traffic_figures(request: HttpRequest) -> HttpResponse:
    """The charts' numbers for who cannot see them: rows of a table, or a file of CSV."""
    shown, problem = _asked(request)
    if request.GET.get("format") != "csv":
        context = {"figures": shown.rows(), "traffic": shown}
        return render(request, "monitoring/_figure_rows.html", context)
    if problem:
        return HttpResponse(problem, status=400, content_type="text/plain; charset=utf-8")
    rows = zip(shown.times, *shown.columns.values(), strict=True)
    return csv_file(f"traffic-{shown.range.key}", ["start", *shown.columns], rows)


def traffic_of(range_: Range, subject: Subject = EVERYTHING, by: Kind = Kind.PROVIDER) -> Traffic:
    """From the live board where this process has one, else from what is kept."""
    if range_ is LIVE:
        if (reader := live.current()) is not None:
            return reader.traffic(subject, by)
        range_ = LIVE_KEPT
    return Traffic(range_, picture_of(range_, time.time(), subject, by), subject, by)


def _asked(request: HttpRequest) -> tuple[Traffic, str]:
    """What the address asks for, and what is wrong with it; that is left out."""
    key, by = request.GET.get("range", LIVE.key), request.GET.get("by", Kind.PROVIDER)
    if key not in RANGES:
        known = ", ".join(RANGES)
        return traffic_of(LIVE), f"“{key[:40]}” is no range. Choose one of {known}."
    if by not in TOLD_APART:
        problem = f"Calls are told apart by {', '.join(TOLD_APART)}, not by “{by[:40]}”."
        return traffic_of(RANGES[key]), problem
    shown = traffic_of(RANGES[key], asked_subject(request.GET), asked_kind(request.GET))
    slug = shown.subject.provider
    is_known = not slug or bool(shown.total.calls) or Provider.objects.filter(slug=slug).exists()
    if is_known:
        return shown, ""
    return traffic_of(RANGES[key], EVERYTHING, shown.by), (
        f"There is no provider “{slug}”. All are shown."
    )


def _names(subject: Subject) -> dict[str, str]:
    names = names_of([subject])
    provider = names.get(Subject(Kind.PROVIDER, subject.provider), "")
    name = names[subject]
    within = f"{name} at {provider}" if subject.kind in OF_A_PROVIDER else name
    return {"subject_name": within, "provider_name": provider}


def _table(shown: Traffic) -> dict[str, Any]:
    healths: list[ProviderHealth] = provider_healths() if shown.by is Kind.PROVIDER else []
    return {
        "rows": subject_rows(shown.picture, shown.by, healths),
        "kinds": [one for one in Kind if one is not Kind.ALL],
    }


def chart_panels(shown: Traffic, which: Sequence[charts.Chart]) -> list[dict[str, Any]]:
    """What each chart's panel shows, with a mark where something was tuned meanwhile."""
    totals = shown.totals()
    first_s, last_s = shown.series.starts[0], shown.series.starts[-1] + shown.range.step_s
    marks = marks_between(first_s, last_s, shown.subject.provider)
    return [
        {
            "chart": chart,
            "figure": charts.with_marks(
                charts.figure_fields(chart, shown.times, shown.columns, shown.range.tick_format),
                marks,
            ),
            "figure_id": f"figure-{chart.key}",
            "legend": [(trace, totals[trace.column]) for trace in chart.traces],
            "counted": chart.kind == "bars",
        }
        for chart in which
    ]

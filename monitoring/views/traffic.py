"""Traffic: what goes through the house now, and what went through it."""

from __future__ import annotations

import csv
import io
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
from monitoring.getting_started import COOKIE_AGE_S, WATCHED_COOKIE
from monitoring.health import provider_healths
from monitoring.history import picture_of
from monitoring.models import CallRecord
from monitoring.providers import provider_rows
from monitoring.ranges import LIVE, RANGES, Range
from monitoring.traffic import Traffic

CHARTS = (charts.CALLS, charts.LATENCY, charts.SUCCESS, charts.TOKENS)
# plotly.js writes style elements of its own (docs/decisions/0002-plotly-styles.md).
PLOTLY_STYLES = {"style-src": ["'unsafe-inline'"]}


@require_safe
@csp_update(PLOTLY_STYLES)
def traffic(request: HttpRequest) -> HttpResponse:
    """`?range=5m|1h|24h|7d&provider=slug`; what is unknown is said on the page."""
    names = dict(Provider.objects.values_list("slug", "name"))
    range_, provider, problem = _asked(request, names)
    shown = traffic_of(range_, provider)
    context = {
        "provider_name": names.get(provider, ""),
        "choices": _choices(shown, names),
        "traffic": shown,
        "ranges": RANGES.values(),
        "problem": problem,
        "is_live": range_ is LIVE and live.current() is not None,
        "has_no_reader": range_ is LIVE and live.current() is None,
        "has_calls": bool(shown.picture.by_provider) or CallRecord.objects.exists(),
        "panels": chart_panels(shown, CHARTS),
        "rows": provider_rows(shown.picture, names, provider_healths()),
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
def traffic_providers(request: HttpRequest) -> HttpResponse:
    """The table of providers alone, fetched again every few seconds by the live page."""
    names = dict(Provider.objects.values_list("slug", "name"))
    range_, _, _ = _asked(request, names)
    rows = provider_rows(traffic_of(range_, "").picture, names, provider_healths())
    return render(
        request, "monitoring/_provider_rows.html", {"rows": rows, "traffic": {"range": range_}}
    )


@require_safe
def traffic_figures(request: HttpRequest) -> HttpResponse:
    """The charts' numbers for who cannot see them: rows of a table, or a file of CSV."""
    range_, provider, problem = _asked(request, dict(Provider.objects.values_list("slug", "name")))
    shown = traffic_of(range_, provider)
    if request.GET.get("format") != "csv":
        return render(request, "monitoring/_figure_rows.html", {"figures": shown.rows()})
    if problem:
        return HttpResponse(problem, status=400, content_type="text/plain; charset=utf-8")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["start", *shown.columns])
    writer.writerows(zip(shown.times, *shown.columns.values(), strict=True))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="traffic-{range_.key}.csv"'
    return response


def traffic_of(range_: Range, provider: str) -> Traffic:
    """From the live board where this process has one, else from the call records."""
    reader = live.current()
    if range_ is not LIVE or reader is None:
        return Traffic(range_, picture_of(range_, time.time()), provider)
    now_s = reader.now_s()
    rate = reader.board.calls_per_s(now_s, provider=provider)
    return Traffic(range_, reader.board.picture(now_s), provider, rate)


def _asked(request: HttpRequest, names: dict[str, str]) -> tuple[Range, str, str]:
    """The range and the provider of the address, and what is wrong with them."""
    key, provider = request.GET.get("range", LIVE.key), request.GET.get("provider", "")
    if key not in RANGES:
        known = ", ".join(RANGES)
        return LIVE, "", f"“{key[:40]}” is no range. Choose one of {known}."
    if provider and provider not in names:
        return RANGES[key], "", f"There is no provider “{provider[:80]}”. All are shown."
    return RANGES[key], provider, ""


def _choices(shown: Traffic, names: dict[str, str]) -> list[tuple[str, str]]:
    """The providers with calls in the picture, and the one chosen."""
    slugs = {*shown.picture.providers, shown.provider} - {""}
    return sorted(((slug, names.get(slug, slug)) for slug in slugs), key=lambda pair: pair[1])


def chart_panels(shown: Traffic, which: Sequence[charts.Chart]) -> list[dict[str, Any]]:
    """What each chart's panel shows."""
    totals = shown.totals()
    return [
        {
            "chart": chart,
            "figure": charts.figure_fields(
                chart, shown.times, shown.columns, shown.range.tick_format
            ),
            "figure_id": f"figure-{chart.key}",
            "legend": [(trace, totals[trace.column]) for trace in chart.traces],
            "counted": chart.kind == "bars",
        }
        for chart in which
    ]

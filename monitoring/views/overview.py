"""The front page: can something be called now, and for how long."""

from __future__ import annotations

import json
import time
from typing import Any, cast

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh

from freellm_site.lib.htmx import HtmxRequest, render_swap
from freellm_site.lib.roles import Role, has_role
from monitoring import charts
from monitoring.attention import attention
from monitoring.getting_started import COOKIE_AGE_S, DISMISSED_COOKIE, first_steps
from monitoring.health import provider_healths
from monitoring.history import picture_of
from monitoring.models import CallRecord
from monitoring.overview import catalog_news, headline, tiles_of_today
from monitoring.ranges import DAY
from monitoring.subject_rows import subject_rows
from monitoring.subjects import Kind
from monitoring.traffic import Traffic
from monitoring.views.traffic import PLOTLY_STYLES, chart_panels

# Levels and breakers change without a call, too: they are looked at this often.
LEVELS_EVERY_S = 15


@require_safe
@csp_update(PLOTLY_STYLES)
def overview(plain: HttpRequest) -> HttpResponse:
    """The whole page; for a page that polls, what is new since what it has `seen`."""
    request, seen = cast("HtmxRequest", plain), _seen()
    is_poll = bool(request.htmx) and "seen" in request.GET
    if is_poll and request.GET["seen"] == seen:
        return HttpResponse(status=204)
    context = {**_picture(request), "seen": seen}
    if is_poll and request.GET.get("shape") != context["shape"]:  # with a chart now, or without
        return HttpResponseClientRefresh()
    return render_swap(
        request, "monitoring/overview.html", "monitoring/_overview_news.html", context
    )


def _picture(request: HttpRequest) -> dict[str, Any]:
    healths = provider_healths()
    shown = Traffic(DAY, picture_of(DAY, time.time()))
    rows = subject_rows(shown.picture, Kind.PROVIDER, healths)
    has_calls = bool(rows) or CallRecord.objects.exists()
    return {
        "headline": headline(
            healths, has_calls=has_calls, may_ask=has_role(request.user, Role.OPERATOR)
        ),
        "healths": healths,
        "has_calls": has_calls,
        "is_live": has_calls,
        "shape": "chart" if rows else "none",
        "numbers": json.dumps(_numbers(shown), separators=(",", ":")) if rows else "",
        "traffic": shown,
        "rows": rows,
        "tiles": tiles_of_today(shown.picture, rows) if rows else [],
        "panels": chart_panels(shown, [charts.CALLS]) if rows else [],
        "news": catalog_news(),
        "attention": attention(healths, is_admin=has_role(request.user, Role.ADMIN)),
        "first_steps": first_steps(request, healths, has_calls=has_calls),
    }


def _numbers(shown: Traffic) -> dict[str, object]:
    """What the chart of calls draws."""
    columns, totals = shown.columns, shown.totals()
    names = [trace.column for trace in charts.CALLS.traces]
    return {
        "times": shown.times,
        "columns": {name: columns[name] for name in names},
        "totals": {name: totals[name] for name in names},
    }


def _seen() -> str:
    """Changes with the last call that was written, and every `LEVELS_EVERY_S`."""
    last = CallRecord.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return f"{last}.{int(time.time()) // LEVELS_EVERY_S}"


@require_POST
def dismiss_first_steps(request: HttpRequest) -> HttpResponse:
    """Hide the first steps in this browser."""
    response = HttpResponseRedirect(reverse("monitoring:overview"))
    response.set_cookie(
        DISMISSED_COOKIE,
        "dismissed",
        max_age=COOKIE_AGE_S,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response

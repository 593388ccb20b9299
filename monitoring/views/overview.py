"""The front page: can something be called now, and for how long."""

from __future__ import annotations

import time

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from catalog.models import Provider
from freellm_site.lib.roles import Role, has_role
from monitoring import charts
from monitoring.attention import attention
from monitoring.getting_started import COOKIE_AGE_S, DISMISSED_COOKIE, first_steps
from monitoring.health import provider_healths
from monitoring.history import picture_of
from monitoring.models import CallRecord
from monitoring.overview import catalog_news, headline, tiles_of_today
from monitoring.providers import provider_rows
from monitoring.ranges import DAY
from monitoring.traffic import Traffic
from monitoring.views.traffic import PLOTLY_STYLES, chart_panels


@require_safe
@csp_update(PLOTLY_STYLES)
def overview(request: HttpRequest) -> HttpResponse:
    healths = provider_healths()
    shown = Traffic(DAY, picture_of(DAY, time.time()))
    rows = provider_rows(shown.picture, dict(Provider.objects.values_list("slug", "name")), healths)
    has_calls = bool(rows) or CallRecord.objects.exists()
    context = {
        "headline": headline(
            healths, has_calls=has_calls, may_ask=has_role(request.user, Role.OPERATOR)
        ),
        "healths": healths,
        "has_calls": has_calls,
        "traffic": shown,
        "rows": rows,
        "tiles": tiles_of_today(shown.picture, rows) if rows else [],
        "panels": chart_panels(shown, [charts.CALLS]) if rows else [],
        "news": catalog_news(),
        "attention": attention(healths, is_admin=has_role(request.user, Role.ADMIN)),
        "first_steps": first_steps(request, healths, has_calls=has_calls),
    }
    return render(request, "monitoring/overview.html", context)


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

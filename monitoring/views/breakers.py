"""Breakers: their states over time, each with its cause, and the way to force one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from asgiref.sync import async_to_sync
from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from catalog.engine import engine
from catalog.models import Provider
from freellm_site.lib.roles import Role, has_role, require_role
from gateway.store import StoreAwayError
from monitoring import sampling
from monitoring.acting import done
from monitoring.breakers.forms import ForceForm
from monitoring.breakers.page import BreakerDetail, BreakerListing, asked_pair
from monitoring.breakers.rows import Pair
from monitoring.breakers.sampler import BREAKERS
from monitoring.exporting import csv_file
from monitoring.views.traffic import PLOTLY_STYLES


@require_safe
def breakers(request: HttpRequest) -> HttpResponse:
    """`?range=&what=&q=&page=`, and `form=csv` for the changes of the last week as a file."""
    samples, away_since_s = sampling.newest(BREAKERS)
    shown = BreakerListing.of(samples[-1].value, request.GET) if samples else None
    if shown and request.GET.get("form") == "csv":
        return csv_file("breakers", shown.csv_header, shown.csv_rows())
    context = {
        "shown": shown,
        "live_query": urlencode({**shown.listing.chosen, "page": shown.listing.page.number})
        if shown
        else "",
        **sampling.how_current(BREAKERS, samples, away_since_s),
    }
    status = shown.listing.status if shown else 200
    return render(request, "monitoring/breakers/breakers.html", context, status=status)


@require_safe
@csp_update(PLOTLY_STYLES)
def breaker_detail(request: HttpRequest) -> HttpResponse:
    """`?provider=&model=`, and `form=csv` for the chart's figures as a file."""
    pair = asked_pair(request.GET)
    action = ForceForm.OPEN if request.GET.get("do") != "reset" else ForceForm.RESET
    form = ForceForm(initial={"provider": pair[0], "model": pair[1] or "", "action": action})
    return _detail(request, pair, form)


@require_POST
@require_role(Role.ADMIN)
@csp_update(PLOTLY_STYLES)
def breaker_force(request: HttpRequest) -> HttpResponse:
    """Hold it open, let calls through, or reset it; in every process with the next call."""
    form = ForceForm(request.POST)
    if not form.is_valid():
        return _detail(request, asked_pair(request.POST), form, status=422)
    asked = form.cleaned_data
    pair: Pair = asked["provider"], asked["model"] or None
    query = urlencode({"provider": pair[0], "model": asked["model"]})
    url = f"{reverse('monitoring:breaker-detail')}?{query}"
    try:
        async_to_sync(_force)(pair, asked, request.user.get_username())
    except StoreAwayError:
        form.add_error(None, "Redis does not answer, so no other process would know. Try again.")
        return _detail(request, pair, form, status=503)
    return done(request, _DONE[asked["action"]], url)


_DONE = {
    ForceForm.OPEN: "It is held open in every process.",
    ForceForm.CLOSED: "Calls are let through in every process.",
    ForceForm.RESET: "It is closed, and counts from nothing.",
}


async def _force(pair: Pair, asked: dict[str, Any], by: str) -> None:
    async with engine() as gateway:
        if asked["action"] == ForceForm.RESET:
            await gateway.reset_breaker(*pair, reason=asked["reason"], by=by)
            return
        await gateway.force_breaker(
            *pair,
            is_open=asked["action"] == ForceForm.OPEN,
            for_s=asked["for_s"],
            reason=asked["reason"],
            by=by,
        )


def _detail(request: HttpRequest, pair: Pair, form: ForceForm, status: int = 200) -> HttpResponse:
    samples, away_since_s = sampling.newest(BREAKERS)
    detail = BreakerDetail.of(samples, pair) if samples else None
    if detail is None and samples:
        raise Http404("There is no such breaker. Its provider or its offer may have gone.")
    if detail and request.GET.get("form") == "csv":
        header = ["time", "state", "calls", "failed", "slow"]
        return csv_file(f"breaker-{pair[0]}", header, detail.csv_rows())
    context = {
        "detail": detail,
        "provider": Provider.objects.filter(slug=pair[0]).first(),
        "form": form,
        "may_act": has_role(request.user, Role.ADMIN),
        **sampling.how_current(BREAKERS, samples, away_since_s),
    }
    return render(request, "monitoring/breakers/breaker.html", context, status=status)

"""Live limits: every quota, the one that most needs a look first, and a page for each."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.models import Provider
from freellm_site.lib.htmx import HtmxRequest, render_swap
from monitoring import sampling
from monitoring.exporting import csv_file
from monitoring.limits.listing import PoolListing, headline
from monitoring.limits.rows import PoolRow, asked_name, query_of
from monitoring.limits.sampler import LIMITS, detail_of, rows_of
from monitoring.views.traffic import PLOTLY_STYLES


@require_safe
def limits(plain: HttpRequest) -> HttpResponse:
    """`?q=&provider=&state=&page=`; what cannot be read of it is said on the page."""
    request = cast("HtmxRequest", plain)
    samples, away_since_s = sampling.newest(LIMITS)
    rows: list[PoolRow] = rows_of(samples) if samples else []
    shown = PoolListing.of(rows, request.GET)
    context = {
        "shown": shown,
        "headline": headline(rows) if rows else "",
        "live_query": urlencode({**shown.listing.chosen, "page": shown.listing.page.number}),
        **sampling.how_current(LIMITS, samples, away_since_s),
    }
    page, fragment = "monitoring/limits.html", "monitoring/_limit_list.html"
    return render_swap(request, page, fragment, context, status=shown.listing.status)


@require_safe
@csp_update(PLOTLY_STYLES)
def limit_detail(request: HttpRequest) -> HttpResponse:
    """`?provider=&key=&pool=`, and `form=csv` for the charts' figures as a file."""
    name = asked_name(request.GET)
    samples, away_since_s = sampling.newest(LIMITS)
    detail = detail_of(samples, name) if samples else None
    if detail is None and samples:
        raise Http404("There is no such quota. It may have gone with its key or its model.")
    if detail is not None and request.GET.get("form") == "csv":
        return csv_file(f"limits-{name.provider}", detail.csv_header, detail.csv_rows())
    context = {
        "detail": detail,
        "provider": Provider.objects.filter(slug=name.provider).first(),
        "live_query": query_of(name),
        **sampling.how_current(LIMITS, samples, away_since_s),
    }
    return render(request, "monitoring/limit_detail.html", context)

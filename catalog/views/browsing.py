"""The catalog: every model, its offers folded inside."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from catalog.browse import find
from catalog.filters import chips, columns, facets, read_address
from catalog.model_list import model_lines
from catalog.models import Change, Provider, Refresh
from catalog.rows import catalog_rows
from catalog.targets import usable_provider_ids
from catalog.views.addresses import tell_address
from freellm_site.lib.htmx import HtmxRequest, render_swap

PER_PAGE = 25
LATEST_CHANGES = 6
DENSITIES = ("comfortable", "compact")
COOKIE_AGE_S = 365 * 24 * 3600


@require_safe
def browse(request: HtmxRequest) -> HttpResponse:
    providers = dict(Provider.objects.order_by("name").values_list("slug", "name"))
    asked = read_address(request.GET, providers)
    found = find(catalog_rows(usable_provider_ids()), asked.filters)
    paginator = Paginator(found.models, PER_PAGE)
    is_beyond = asked.page > paginator.num_pages
    page = paginator.page(min(asked.page, paginator.num_pages))
    context = {
        "asked": asked,
        "page": page,
        "is_beyond": is_beyond,
        "lines": model_lines(list(page), asked.opened),
        "model_count": paginator.count,
        "offer_count": found.offer_count,
        "is_swap": _is_swap(request),
        "columns": columns(asked),
        "chips": chips(asked, providers),
        "facets": facets(found, asked.filters, providers),
        "density": _density(request),
        "densities": [(name, name.capitalize()) for name in DENSITIES],
        **_frame(request),
    }
    status = 404 if is_beyond else 200
    response = render_swap(
        request, "catalog/model_list.html", "catalog/_results.html", context, status
    )
    tell_address(request, response, asked.address())
    if request.GET.get("density") in DENSITIES:
        response.set_cookie("density", context["density"], max_age=COOKIE_AGE_S, samesite="Lax")
    return response


def _density(request: HtmxRequest) -> str:
    asked = request.GET.get("density") or request.COOKIES.get("density")
    return asked if asked in DENSITIES else DENSITIES[0]


def _is_swap(request: HtmxRequest) -> bool:
    htmx = request.htmx
    return bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def _frame(request: HtmxRequest) -> dict[str, Any]:
    """What stands around the results; a swap of the results needs none of it."""
    if _is_swap(request):
        return {}
    return {
        "latest_changes": Change.objects.select_related("provider", "offer__model")[
            :LATEST_CHANGES
        ],
        "last_refresh": Refresh.objects.filter(finished_at__isnull=False).first(),
    }

"""What refreshes found: offers that came, went and changed, as a page and as a feed."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from catalog.changes import KINDS, by_day, filters_of, known_families, known_providers, read_filters
from catalog.feeds import ChangeFeed
from catalog.paging import Listing, read_page
from catalog.readers import may_read
from catalog.views.addresses import tell_address
from freellm_site.lib.htmx import HtmxRequest, render_swap

PER_PAGE = 50
NO_TOKEN = "The feed's address needs a read token: make one on the page of changes, “Subscribe”."  # noqa: S105 - a sentence


@require_safe
def change_list(request: HtmxRequest) -> HttpResponse:
    notices: list[str] = []
    providers, families = known_providers(), known_families()
    filters = read_filters(request.GET, providers, families, notices)
    page = read_page(request.GET, notices)
    listing = Listing.of(filters.changes(), page, PER_PAGE, filters.chosen)
    context = {
        "listing": listing,
        "days": by_day(list(listing.page)),
        "notices": notices,
        "providers": providers,
        "families": families,
        "kinds": KINDS,
        "chosen": filters,
    }
    response = render_swap(
        request, "catalog/change_list.html", "catalog/_change_list.html", context, listing.status
    )
    tell_address(request, response, listing.address)
    return response


@login_not_required  # a feed reader has no session; what it needs instead is asked for here
@require_safe
def change_feed(request: HttpRequest) -> HttpResponse:
    if not may_read(request, in_address=True):
        return HttpResponse(NO_TOKEN, status=401, content_type="text/plain; charset=utf-8")
    response: HttpResponse = ChangeFeed()(request, filters=filters_of(request.GET))
    patch_cache_control(response, private=True)
    return response

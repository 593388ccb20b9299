"""What refreshes found: offers that came, went and changed."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from catalog.models import Change, ChangeKind, Provider
from catalog.paging import Listing, read_choice, read_page
from catalog.views.addresses import tell_address
from freellm_site.lib.htmx import HtmxRequest, render_swap

PER_PAGE = 50


@require_safe
def change_list(request: HtmxRequest) -> HttpResponse:
    notices: list[str] = []
    providers = dict(
        Provider.objects.filter(changes__isnull=False)
        .distinct()
        .order_by("name")
        .values_list("slug", "name")
    )
    kinds = {value: str(label) for value, label in ChangeKind.choices}
    chosen = {
        "provider": read_choice(request.GET, "provider", providers, notices),
        "kind": read_choice(request.GET, "kind", kinds, notices),
    }
    changes = Change.objects.select_related("provider", "offer__model")
    if chosen["provider"]:
        changes = changes.filter(provider__slug=chosen["provider"])
    if chosen["kind"]:
        changes = changes.filter(kind=chosen["kind"])
    listing = Listing.of(changes, read_page(request.GET, notices), PER_PAGE, chosen)
    context = {
        "listing": listing,
        "notices": notices,
        "providers": providers,
        "kinds": kinds,
        "chosen": chosen,
    }
    response = render_swap(
        request, "catalog/change_list.html", "catalog/_change_list.html", context, listing.status
    )
    tell_address(request, response, listing.address)
    return response

"""Providers: who there is, whether they can be called, and everything about one of them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from catalog import generation
from catalog.forms import IntervalForm, KeyForm
from catalog.held import waiting_list
from catalog.key_check import KeyReport
from catalog.keys import environment_key
from catalog.leases import interval
from catalog.limit_pools import limit_pools
from catalog.lists import refreshable
from catalog.models import Origin, Provider, ProviderKey, SiteChoice
from catalog.offers import offer_lines, with_live
from catalog.paging import Listing, read_number, read_page
from catalog.provider_list import provider_lines
from catalog.targets import obstacles
from catalog.views.addresses import tell_address
from freellm_site.lib.htmx import HtmxRequest, render_swap
from freellm_site.lib.roles import Role, has_role, require_role

PER_PAGE = 60
MOST_OFFERS = 100
LATEST_RESULTS = 8
LONGEST_SEARCH = 200


@require_safe
def provider_list(request: HtmxRequest) -> HttpResponse:
    notices: list[str] = []
    search = " ".join(request.GET.get("q", "").split())[:LONGEST_SEARCH]
    lines = provider_lines(search)
    listing = Listing.of(lines, read_page(request.GET, notices), PER_PAGE, {"q": search})
    context = {
        "listing": listing,
        "notices": notices,
        "search": search,
        "provider_count": sum(not line.provider.is_retired for line in lines),
        "retired_count": sum(line.provider.is_retired for line in lines),
        "usable_count": sum(line.obstacle is None for line in lines),
        "choice": SiteChoice.current(),
        "simulator_choices": SiteChoice.SIMULATOR_CHOICES,
    }
    response = render_swap(
        request, "catalog/provider_list.html", "catalog/_providers.html", context, listing.status
    )
    tell_address(request, response, listing.address)
    return response


@require_safe
def provider_detail(request: HtmxRequest, slug: str) -> HttpResponse:
    provider = get_object_or_404(Provider, slug=slug)
    checked = provider.keys.filter(pk=read_number(request.GET, "checked") or 0).first()
    context = provider_context(request, provider, checked=checked)
    status = context["listing"].status
    return render(request, "catalog/provider_detail.html", context, status=status)


@require_POST
@require_role(Role.ADMIN)
def provider_switch(request: HtmxRequest, slug: str) -> HttpResponse:
    provider = get_object_or_404(Provider, slug=slug)
    provider.is_enabled = request.POST.get("is_enabled") == "1"
    provider.save(update_fields=["is_enabled"])
    generation.bump()
    word = "may be called" if provider.is_enabled else "is no longer called"
    messages.success(request, f"{provider.name} {word}.")
    return redirect(provider)


@require_POST
@require_role(Role.ADMIN)
def limit_probe_switch(request: HtmxRequest, slug: str) -> HttpResponse:
    provider = get_object_or_404(Provider.objects.exclude(limit_probe=""), slug=slug)
    provider.probes_limits = request.POST.get("probes_limits") == "1"
    provider.save(update_fields=["probes_limits"])
    word = "is asked for its limits once a day" if provider.probes_limits else "is not asked"
    messages.success(request, f"{provider.name} {word}.")
    return redirect(provider)


@require_POST
@require_role(Role.ADMIN)
def simulator_switch(request: HtmxRequest) -> HttpResponse:
    asked = request.POST.get("simulator", "")
    known = dict(SiteChoice.SIMULATOR_CHOICES)
    if asked in known:
        choice = SiteChoice.current()
        choice.simulator = asked
        choice.save(update_fields=["simulator"])
        generation.bump()
        messages.success(request, f"The simulator is offered {known[asked]}.")
    else:
        messages.error(request, "The simulator can be offered automatically, always or never.")
    return redirect(_came_from(request))


def _came_from(request: HtmxRequest) -> str:
    """The simulator's switch stands on several pages."""
    provider = Provider.objects.filter(slug=request.POST.get("provider", "")[:50]).first()
    return provider.get_absolute_url() if provider else reverse("catalog:provider-list")


def provider_context(
    request: HtmxRequest,
    provider: Provider,
    *,
    form: KeyForm | None = None,
    interval_form: IntervalForm | None = None,
    report: KeyReport | None = None,
    checked: ProviderKey | None = None,
) -> dict[str, Any]:
    """Everything the provider's page shows, keys only to who may change them."""
    is_admin = has_role(request.user, Role.ADMIN)
    every = offer_lines(provider.offers.all() if is_admin else provider.offers.shown())
    lines = [line for line in every if not line.is_retired or provider.is_retired]
    retired = [line for line in every if line.is_retired and not provider.is_retired]
    listing = Listing.of(lines, read_page(request.GET, []), MOST_OFFERS, {})
    shown = with_live(list(listing.page))
    context: dict[str, Any] = {
        "provider": provider,
        "choice": SiteChoice.current(),
        "simulator_choices": SiteChoice.SIMULATOR_CHOICES,
        "obstacle": obstacles()[provider.pk],
        "lines": shown,
        "listing": listing,
        "pools": limit_pools(provider, shown),
        "offer_count": len(lines),
        "retired": retired[:MOST_OFFERS],
        "retired_count": len(retired),
        "usable_count": sum(line.is_usable for line in lines),
        "results": provider.results.latest_first()[:LATEST_RESULTS],
        "held": waiting_list(provider),
        "has_list": bool(refreshable([provider])),
        "refresh_every_s": interval(provider).total_seconds(),
        "takes_keys": provider.needs_key and not provider.is_retired,
        "is_own": provider.origin == Origin.OWN,
        "is_simulator": provider.origin == Origin.SIMULATOR,
    }
    if is_admin:
        context |= {
            "keys": provider.keys.select_related("added_by"),
            "environment_key": environment_key(provider),
            "key_form": form or KeyForm(provider),
            "interval_form": interval_form or IntervalForm(provider),
            "report": report or _remembered(checked),
            "checked": checked,
        }
    else:
        context["key_count"] = provider.keys.filter(is_enabled=True).count()
    return context


def _remembered(row: ProviderKey | None) -> dict[str, Any] | None:
    """A stored report in the shape of a `KeyReport`."""
    if row is None or row.checked_at is None:
        return None
    return {"verdict": row.verdict, "label": row.get_verdict_display(), "evidence": row.evidence}

"""Hiding an offer: it is neither shown nor called until an admin shows it again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from catalog.choices import choose, take_back
from catalog.models import Aspect, Offer
from catalog.paging import LONGEST_NUMBER
from freellm_site.lib.format import counted
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, require_role

MOST_AT_ONCE = 1_000


@require_POST
@require_role(Role.ADMIN)
def offer_hide(request: HtmxRequest, pk: int) -> HttpResponse:
    offer = _offer(pk)
    choose([offer], Aspect.HIDDEN, value=True, user=request.user)
    undo = reverse("catalog:offer-show", args=[pk])
    messages.success(request, f"{offer} is hidden and no longer called.", extra_tags=undo)
    return redirect(_came_from(request, offer.provider.get_absolute_url()))


@require_POST
@require_role(Role.ADMIN)
def offer_show(request: HtmxRequest, pk: int) -> HttpResponse:
    offer = _offer(pk)
    take_back([offer], Aspect.HIDDEN, request.user)
    undo = reverse("catalog:offer-hide", args=[pk])
    messages.success(request, f"{offer} is shown again.", extra_tags=undo)
    return redirect(_came_from(request, offer.provider.get_absolute_url()))


@require_POST
@require_role(Role.ADMIN)
def offers_switch(request: HtmxRequest) -> HttpResponse:
    """Hide or show all that are ticked."""
    ticked = [one for one in request.POST.getlist("offer") if one.isascii() and one.isdigit()]
    pks = [int(one) for one in ticked[:MOST_AT_ONCE] if len(one) <= LONGEST_NUMBER]
    offers = list(Offer.objects.filter(pk__in=pks).select_related("provider", "model"))
    hides = request.POST.get("hidden") == "1"
    if not offers:
        messages.info(request, "Tick the offers first.")
    elif hides:
        count = choose(offers, Aspect.HIDDEN, value=True, user=request.user)
        messages.success(request, f"{counted(count, 'offer')} hidden and no longer called.")
    else:
        count = take_back(offers, Aspect.HIDDEN, request.user)
        messages.success(request, f"{counted(count, 'offer')} shown again.")
    fallback = offers[0].provider.get_absolute_url() if offers else reverse("catalog:provider-list")
    return redirect(_came_from(request, fallback))


def _offer(pk: int) -> Offer:
    offer: Offer = get_object_or_404(Offer.objects.select_related("provider", "model"), pk=pk)
    return offer


def _came_from(request: HtmxRequest, fallback: str) -> str:
    """The page the button stands on, if it is one of ours."""
    asked = request.POST.get("next", "")[:500]
    is_ours = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if is_ours else fallback

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
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, require_role


@require_POST
@require_role(Role.ADMIN)
def offer_hide(request: HtmxRequest, pk: int) -> HttpResponse:
    offer = _offer(pk)
    choose([offer], Aspect.HIDDEN, value=True, user=request.user)
    undo = reverse("catalog:offer-show", args=[pk])
    messages.success(request, f"{offer} is hidden and no longer called.", extra_tags=undo)
    return redirect(_came_from(request, offer))


@require_POST
@require_role(Role.ADMIN)
def offer_show(request: HtmxRequest, pk: int) -> HttpResponse:
    offer = _offer(pk)
    take_back([offer], Aspect.HIDDEN, request.user)
    undo = reverse("catalog:offer-hide", args=[pk])
    messages.success(request, f"{offer} is shown again.", extra_tags=undo)
    return redirect(_came_from(request, offer))


def _offer(pk: int) -> Offer:
    offer: Offer = get_object_or_404(Offer.objects.select_related("provider", "model"), pk=pk)
    return offer


def _came_from(request: HtmxRequest, offer: Offer) -> str:
    """The page the button stands on, if it is one of ours; else the offer's provider."""
    asked = request.POST.get("next", "")[:500]
    is_ours = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if is_ours else offer.provider.get_absolute_url()

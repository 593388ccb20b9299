"""Deciding about a held list: apply it after all, or keep what is known."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from catalog.held_decisions import apply_held, dismiss_held
from catalog.models import HeldList
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, require_role

_DECIDED = "This list is decided already, or a later one has come."


@require_POST
@require_role(Role.ADMIN)
def held_apply(request: HtmxRequest, pk: int) -> HttpResponse:
    held = get_object_or_404(HeldList.objects.select_related("provider", "refresh"), pk=pk)
    if apply_held(held, cast(AbstractBaseUser, request.user)):
        told = f"The list of {held.provider.name} is applied; what it lacks is missing now."
        messages.success(request, told)
    else:
        messages.error(request, _DECIDED)
    return redirect(held.provider)


@require_POST
@require_role(Role.ADMIN)
def held_dismiss(request: HtmxRequest, pk: int) -> HttpResponse:
    held = get_object_or_404(HeldList.objects.select_related("provider"), pk=pk)
    if dismiss_held(held, cast(AbstractBaseUser, request.user)):
        messages.success(request, f"What is known of {held.provider.name} stays as it is.")
    else:
        messages.error(request, _DECIDED)
    return redirect(held.provider)

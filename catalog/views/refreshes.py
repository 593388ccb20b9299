"""Refreshing the lists: the button, its progress and its result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from catalog.forms import IntervalForm
from catalog.leases import interval, set_interval
from catalog.models import ACTIVE_STATES, Provider, Refresh, RefreshResult, RefreshState
from catalog.services import fail_silent, request_refresh
from catalog.views.providers import provider_context
from freellm_site.lib.format import seconds
from freellm_site.lib.htmx import HtmxRequest, render_swap
from freellm_site.lib.roles import Role, require_role

# A worker that is there takes a refresh within a second.
NO_WORKER_AFTER = timedelta(seconds=10)
STOP_POLLING = 286  # htmx's own status
OVER = "listsRefreshed"  # what pages that show the lists listen for


@dataclass(frozen=True, slots=True)
class Failure:
    """What kept lists from being renewed, with the remedy, and whose lists these are."""

    detail: str
    providers: Sequence[Provider]


@require_POST
@require_role(Role.OPERATOR)
def refresh(request: HtmxRequest) -> HttpResponse:
    slug = request.POST.get("provider", "")
    provider = get_object_or_404(Provider, slug=slug) if slug else None
    queued = request_refresh(provider, request.user if request.user.is_authenticated else None)
    if request.htmx:
        return render(request, "catalog/_refresh.html", _progress(queued))
    return redirect("catalog:refresh-detail", queued.pk)


@never_cache
@require_safe
def refresh_detail(request: HtmxRequest, pk: int) -> HttpResponse:
    fail_silent()
    found = get_object_or_404(Refresh.objects.select_related("provider"), pk=pk)
    context = _progress(found)
    status = 200 if context["is_active"] or not request.htmx else STOP_POLLING
    response = render_swap(
        request, "catalog/refresh_detail.html", "catalog/_refresh.html", context, status
    )
    if status == STOP_POLLING:
        trigger_client_event(response, OVER, after="settle")
    return response


@require_POST
@require_role(Role.ADMIN)
def refresh_interval(request: HtmxRequest, slug: str) -> HttpResponse:
    """How often this provider's list is asked for."""
    provider = get_object_or_404(Provider, slug=slug)
    form = IntervalForm(provider, request.POST)
    if not form.is_valid():
        context = provider_context(request, provider, interval_form=form)
        return render(request, "catalog/provider_detail.html", context, status=422)
    set_interval(provider, form.every_s)
    every = seconds(interval(provider).total_seconds())
    messages.success(request, f"The list of {provider.name} is asked for every {every}.")
    return redirect(provider)


def _progress(found: Refresh) -> dict[str, Any]:
    is_waiting = found.state == RefreshState.QUEUED
    results = list(found.results.select_related("provider"))
    failed = [one for one in results if not one.is_ok]
    return {
        "refresh": found,
        "is_active": found.state in ACTIVE_STATES,
        "has_no_worker": is_waiting and timezone.now() - found.created_at > NO_WORKER_AFTER,
        "fraction": found.done / found.total if found.total else 0.0,
        "results": results,
        "failed": failed,
        "failures": _by_reason(failed),
        "added": sum(one.added + one.returned for one in results),
        "gone": sum(one.gone + one.missing for one in results),
        "changed": sum(one.changed for one in results),
    }


def _by_reason(failed: Sequence[RefreshResult]) -> list[Failure]:
    """One reason, often the network's, may stand for many lists; the widest comes first."""
    providers: dict[str, list[Provider]] = defaultdict(list)
    for one in failed:
        providers[one.detail].append(one.provider)
    failures = [Failure(detail, named) for detail, named in providers.items()]
    return sorted(failures, key=lambda one: -len(one.providers))

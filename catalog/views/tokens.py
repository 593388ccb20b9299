"""One's own read tokens: made, shown once, revoked."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from catalog.changes import filters_of
from catalog.models import ReadToken
from freellm_site.lib.htmx import HtmxRequest

LONGEST_LABEL = 80
MOST = 50


@require_safe
def token_list(request: HtmxRequest) -> HttpResponse:
    return _show(request)


@require_POST
@never_cache
def token_add(request: HtmxRequest) -> HttpResponse:
    """The token is on this answer only, so there is no redirect to come back to."""
    label = " ".join(request.POST.get("label", "").split())
    problem = _problem(request, label)
    if problem:
        return _show(request, problem=problem, label=label[: 2 * LONGEST_LABEL], status=422)
    token = ReadToken.objects.issue(request.user.pk or 0, label)
    query = filters_of(request.POST).query(token=token)
    feed = f"{settings.PUBLIC_URL}{reverse('catalog:change-feed')}{query}"
    return _show(request, token=token, feed=feed)


@require_POST
def token_revoke(request: HtmxRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(ReadToken, pk=pk, user=request.user.pk)
    ReadToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
    messages.success(request, f"“{row.label}” reads nothing any more.")
    return redirect("catalog:token-list")


def _problem(request: HtmxRequest, label: str) -> str:
    if not label or len(label) > LONGEST_LABEL or not label.isprintable():
        return f"Name who reads with it, in at most {LONGEST_LABEL} characters."
    if ReadToken.objects.filter(user=request.user.pk, revoked_at=None).count() >= MOST:
        return f"You have {MOST} tokens. Revoke one that is not needed any more first."
    return ""


def _show(request: HtmxRequest, *, status: int = 200, **more: str) -> HttpResponse:
    asked = request.POST if request.method == "POST" else request.GET
    context = {
        "tokens": ReadToken.objects.filter(user=request.user.pk, revoked_at=None),
        "chosen": filters_of(asked),
        "api": f"{settings.PUBLIC_URL}{reverse('catalog:api-offers')}",
        "longest_label": LONGEST_LABEL,
        **more,
    }
    return render(request, "catalog/token_list.html", context, status=status)

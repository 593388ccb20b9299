"""`/metrics` for Prometheus: for whoever has the token, and for who is signed in."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from monitoring.metrics import CONTENT_TYPE, exposition

_REFUSAL = (
    "Send the token that METRICS_TOKEN holds, as “Authorization: Bearer <token>”, or sign in.\n"
)


@login_not_required  # a program has no session; what it needs instead is asked for here
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """403 without the token: an address alone protects nothing behind a proxy."""
    if not (_has_token(request) or request.user.is_authenticated):
        return HttpResponse(_REFUSAL, status=403, content_type="text/plain; charset=utf-8")
    return HttpResponse(exposition(), content_type=CONTENT_TYPE)


def _has_token(request: HttpRequest) -> bool:
    said = request.headers.get("Authorization", "")
    token = settings.METRICS_TOKEN
    return bool(token) and constant_time_compare(said, f"Bearer {token}")

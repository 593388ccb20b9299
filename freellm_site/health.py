"""Probes for supervisors and load balancers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.core.cache import caches
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from freellm_site.lib.redis_watch import redis_watch


class ProbeMiddleware:
    """Answers probes before hosts and TLS are checked: they come from inside, by any name."""

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        probe = _PROBES.get(request.path)
        if probe is None:
            return self.get_response(request)
        return sync_to_async(probe)(request) if self.is_async else probe(request)


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """This process can do its work: 503 without the database; Redis away is a degraded 200."""
    database = _database_answers()
    redis = redis_answers()
    status = "ok" if database and redis else "degraded" if database else "unavailable"
    body = {"status": status, "database": database, "redis": redis}
    return JsonResponse(body, status=200 if database else 503)


_PROBES = {"/healthz": healthz, "/readyz": readyz}


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def redis_answers() -> bool:
    """Whether Redis answered within the last second; asks it where nobody has."""
    known = redis_watch.answered()
    if known is not None:
        return known
    try:
        return bool(caches["default"].client.get_client().ping())  # type: ignore[attr-defined]
    except (RedisError, OSError):
        return False

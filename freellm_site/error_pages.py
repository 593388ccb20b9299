"""What a person or a program is told when a request cannot be answered.

A page for people, a toast for htmx (nothing typed is replaced), JSON for programs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.template.loader import render_to_string

from freellm_site.lib.format import file_size

_WAYS_IN = ("accounts:sign-in", "accounts:sign-in-link")


@dataclass(frozen=True, slots=True)
class Refusal:
    status: int
    title: str
    reason: str
    remedy: str = ""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, _refusal_of(exception), "400.html")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    reason = str(exception) or "Your role does not allow this."
    return _answer(request, Refusal(403, "You may not do this", reason), "403.html")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    # The resolver's own exception carries a table of patterns, ours a sentence.
    message = exception.args[0] if exception.args else ""
    reason = message if isinstance(message, str) and message else "Nothing is at this address."
    return _answer(request, Refusal(404, "Not found", reason), "404.html")


def method_not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    reason = f"This address does not answer {request.method}, only {allowed}."
    remedy = "Go back and use the button on the page." if "POST" in allowed else ""
    response = _answer(request, Refusal(405, "Not done this way", reason, remedy), "400.html")
    response["Allow"] = allowed
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Named by CSRF_FAILURE_VIEW."""
    if _signed_in_meanwhile(request):
        return _answer(request, _signed_in_already(request), "403.html")
    if reason == REASON_NO_CSRF_COOKIE:
        why = (
            "Your browser sent no cookie with this form, or the page is from before you signed in."
        )
    else:
        why = f"The form could not be shown to come from this site. ({reason.rstrip('.')}.)"
    remedy = (
        "Go back: what you typed is still in the form. Reload the page, allow cookies for this "
        "site if they are off, and send it again."
    )
    return _answer(request, Refusal(403, "The form was not accepted", why, remedy), "400.html")


def _signed_in_meanwhile(request: HttpRequest) -> bool:
    """Whether this is a sign-in form left open while another tab used it: its token is old."""
    view = request.resolver_match.view_name if request.resolver_match else ""
    return view in _WAYS_IN and request.user.is_authenticated


def _signed_in_already(request: HttpRequest) -> Refusal:
    return Refusal(
        403,
        "You are signed in already",
        f"This browser is signed in as {request.user}; the page you sent is from before that.",
        "To come in as someone else, load that page again.",
    )


def database_busy(request: HttpRequest) -> HttpResponse:
    """Another writer held SQLite's one lock for longer than anybody may wait."""
    return _not_written(request, _BUSY)


def disk_full(request: HttpRequest) -> HttpResponse:
    """Reading goes on; writing does again once there is room."""
    return _not_written(request, _FULL)


_BUSY = Refusal(
    503,
    "Busy just now",
    "The database was held by another task, so nothing was changed.",
    "Go back: what you typed is still in the form. Try again in a moment.",
)
_FULL = Refusal(
    503,
    "No room left",
    "The disk that holds the database is full, so nothing was changed.",
    "Go back: what you typed is still in the form. Try again when an admin has made room.",
)


def _not_written(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    response: HttpResponse
    if getattr(request, "htmx", False):
        response = _toast(refusal)
    elif _wants_json(request):
        response = _json(refusal)
    else:
        response = HttpResponse(render_to_string("503.html", {"refusal": refusal}), status=503)
    response["Retry-After"] = "5"
    return response


def is_database_busy(error: BaseException | None) -> bool:
    """SQLite says only in words which of its errors passes by itself."""
    return isinstance(error, OperationalError) and "locked" in str(error)


def is_disk_full(error: BaseException | None) -> bool:
    """As SQLite says it ("database or disk is full"), and PostgreSQL."""
    words = str(error)
    is_full = "disk is full" in words or "No space left on device" in words
    return isinstance(error, OperationalError) and is_full


def server_error(request: HttpRequest) -> HttpResponse:
    """Uses no database, no context processor: either may be what failed."""
    if is_database_busy(sys.exception()):  # outside the view: in keeping its session, for one
        return database_busy(request)
    if is_disk_full(sys.exception()):
        return disk_full(request)
    if _wants_json(request):
        return _json(Refusal(500, "Server error", "The server failed. Its log says why."))
    try:
        return HttpResponseServerError(render_to_string("500.html"))
    except ValueError:  # static files were never collected, so no page can name its style sheet
        return HttpResponseServerError("The server failed. Its log says why.", "text/plain")


def _refusal_of(exception: Exception) -> Refusal:
    if isinstance(exception, RequestDataTooBig):
        limit = file_size(settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0)
        return Refusal(
            413,
            "Too much at once",
            f"This request is larger than {limit}.",
            "Go back: what you typed is still in the form. Shorten it and send it again.",
        )
    if isinstance(exception, TooManyFieldsSent | TooManyFilesSent):
        return Refusal(400, "Not understood", "This form has more fields than any page here.")
    if isinstance(exception, DisallowedHost):
        return Refusal(
            400,
            "Not at this address",
            "This server does not answer under the host name you used.",
            "An admin can add the name to ALLOWED_HOSTS.",
        )
    reason = str(exception) if isinstance(exception, BadRequest) else ""
    return Refusal(400, "Not understood", reason or "The request is malformed.")


def _answer(request: HttpRequest, refusal: Refusal, template: str) -> HttpResponse:
    if getattr(request, "htmx", False):
        return _toast(refusal)
    if _wants_json(request):
        return _json(refusal)
    user = getattr(request, "user", None)
    signed_in = user is not None and user.is_authenticated
    context = {"refusal": refusal, "layout": "base.html" if signed_in else "doorway.html"}
    return render(request, template, context, status=refusal.status)


def _toast(refusal: Refusal) -> HttpResponse:
    text = " ".join(filter(None, [refusal.reason, refusal.remedy]))
    return HttpResponse(
        status=refusal.status,
        headers={
            "HX-Reswap": "none",
            "HX-Trigger": json.dumps({"toast": {"text": text, "tone": "error"}}),
        },
    )


def _json(refusal: Refusal) -> JsonResponse:
    error = {"status": refusal.status, "message": refusal.reason, "remedy": refusal.remedy}
    return JsonResponse({"error": error}, status=refusal.status)


def _wants_json(request: HttpRequest) -> bool:
    wanted = request.get_preferred_type(["text/html", "application/json"])
    return wanted == "application/json"

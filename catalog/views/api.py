"""The offers for programs; docs/api.md has the fields."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from catalog.paging import read_number
from catalog.readers import may_read
from catalog.records import records
from catalog.selection import Selection, select

PER_PAGE = 100
MOST_PER_PAGE = 500
SIGN_IN = "Send a read token as “Authorization: Bearer <token>”, or sign in."


@login_not_required  # a program has no session; what it needs instead is asked for here
@require_safe
def offers(request: HttpRequest) -> HttpResponseBase:
    if not may_read(request):
        response = _error(SIGN_IN, 401)
        response["WWW-Authenticate"] = 'Bearer realm="FreeLLM"'
        return response
    problem = _problem(request.GET)
    selection = select(request.GET)
    if problem or selection.asked.notices:
        return _error(" ".join([*problem, *selection.asked.notices]), 400)
    answer = _page(request, selection)
    if answer is None:
        return _error(
            "There is no such page; “pages” of the first one says how many there are.", 404
        )
    return _conditional(request, answer)


def _problem(params: QueryDict) -> list[str]:
    asked = params.get("per_page")
    number = read_number(params, "per_page")
    if asked is None or (number is not None and number <= MOST_PER_PAGE):
        return []
    return [f"per_page is a whole number from 1 to {MOST_PER_PAGE}."]


def _page(request: HttpRequest, selection: Selection) -> dict[str, Any] | None:
    page = selection.asked.page
    per_page = read_number(request.GET, "per_page") or PER_PAGE
    count = selection.found.offer_count
    pages = max(1, -(-count // per_page))
    if page > pages:
        return None
    return {
        "count": count,
        "page": page,
        "pages": pages,
        "previous": _address(request, page - 1) if page > 1 else None,
        "next": _address(request, page + 1) if page < pages else None,
        "results": list(records(selection, (page - 1) * per_page, per_page)),
    }


def _address(request: HttpRequest, page: int) -> str:
    query = request.GET.copy()
    query["page"] = str(page)
    return f"{request.path}?{query.urlencode()}"


def _conditional(request: HttpRequest, answer: dict[str, Any]) -> HttpResponseBase:
    body = json.dumps(answer, ensure_ascii=False)
    etag = quote_etag(hashlib.sha256(body.encode()).hexdigest()[:32])
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Authorization", "Cookie"])
    return get_conditional_response(request, etag=etag, response=response) or response


def _error(text: str, status: int) -> JsonResponse:
    return JsonResponse({"error": text}, status=status, json_dumps_params={"ensure_ascii": False})

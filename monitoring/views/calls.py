"""The calls one by one: a searchable table, and each call's trail."""

from __future__ import annotations

import time

from asgiref.sync import sync_to_async
from django.http import (
    HttpRequest,
    HttpResponse,
    QueryDict,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe
from django_htmx.http import HttpResponseClientRefresh

from catalog.curl import curl
from catalog.models import Offer, Provider
from freellm_site.lib.htmx import HtmxRequest, render_swap
from gateway.types import ChatRequest, Message
from monitoring.exporting import EXPORTED_AT_MOST, csv_lines, json_lines
from monitoring.forms import CallFilter
from monitoring.models import CallRecord
from monitoring.paging import (
    COUNTED_AT_MOST,
    SEARCHED_AT_ONCE,
    BadCursorError,
    CallPage,
    Cursor,
    Search,
    bounded_count,
    page_of,
)
from monitoring.presenting import call_rows, lanes

_FORMS = {
    "csv": (csv_lines, "text/csv"),
    "jsonl": (json_lines, "application/jsonl"),
}
_ORDERS = ("at", "-at")
_PLACES = ("after", "before")
_NO_CALLS = "0"


@require_safe
def call_list(request: HtmxRequest) -> HttpResponse:
    """Filters, order and place are in the address; what is wrong there is said on the page."""
    newest = _newest()
    if request.htmx and "seen" in request.GET and (answer := _nothing_to_swap(request, newest)):
        return answer
    form = CallFilter(request.GET)
    search = form.search()
    page, problems = _page(search, request.GET)
    count = bounded_count(search)
    context = {
        "newest": newest,
        "is_live": not any(request.GET.get(name) for name in (*form.fields, *_PLACES, "sort")),
        "form": form,
        "page": page,
        "rows": call_rows(page.calls, form.names),
        "problems": problems,
        "searched_at_once": SEARCHED_AT_ONCE,
        "count": min(count, COUNTED_AT_MOST),
        "is_more": count > COUNTED_AT_MOST,
        "is_filtered": any(request.GET.get(name) for name in form.fields),
        "oldest_first": request.GET.get("sort") == "at",
        "links": _links(request.GET, page),
        "has_calls": bool(page.calls) or CallRecord.objects.exists(),
        "export_limit": EXPORTED_AT_MOST,
    }
    return render_swap(request, "monitoring/call_list.html", "monitoring/_call_table.html", context)


@require_safe
def call_detail(request: HttpRequest, call_id: str) -> HttpResponse:
    """One call. It may not be written yet, or no longer kept: the page says so, with a 404."""
    call = CallRecord.objects.filter(call_id=call_id).first()
    if call is None:
        return render(
            request, "monitoring/call_unknown.html", {"call_id": call_id[:64]}, status=404
        )
    names = dict(Provider.objects.values_list("slug", "name"))
    drawn, axis_s = lanes(call)
    context = {
        "row": call_rows([call], names)[0],
        "call": call,
        "lanes": drawn,
        "axis_s": axis_s,
        "curl": _curl(call),
    }
    return render(request, "monitoring/call_detail.html", context)


def _curl(call: CallRecord) -> str:
    """The call's target asked without us; "" where the catalog knows it no more."""
    offer = Offer.objects.filter(provider__slug=call.provider, external_id=call.model)
    found = offer.select_related("provider", "model").first()
    hello = ChatRequest((Message("user", "Hello"),))
    return curl(found, hello, stream=call.is_streamed) if found else ""


@require_GET
async def call_export(request: HttpRequest, form: str) -> HttpResponseBase:
    """The filter's calls as CSV or as JSON Lines, newest first, at most EXPORTED_AT_MOST."""
    asked = await sync_to_async(CallFilter)(request.GET)
    if not await sync_to_async(asked.is_valid)():
        return HttpResponse(
            asked.errors.as_text(), status=400, content_type="text/plain; charset=utf-8"
        )
    lines, kind = _FORMS[form]
    found = asked.search().all
    response = StreamingHttpResponse(lines(found), content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="calls.{form}"'
    return response


def _newest() -> str:
    """What a page that polls has seen: the last call written, and the minute its ages are of."""
    last = CallRecord.objects.order_by("-pk").values_list("pk", flat=True).first()
    return f"{last}.{int(time.time()) // 60}" if last else _NO_CALLS


def _nothing_to_swap(request: HtmxRequest, newest: str) -> HttpResponse | None:
    """Nothing new leaves the page alone; the first call of all needs the whole page."""
    seen = request.GET["seen"]
    if seen == newest:
        return HttpResponse(status=204)
    return HttpResponseClientRefresh() if seen == _NO_CALLS else None


def _page(search: Search, asked: QueryDict) -> tuple[CallPage, list[str]]:
    problems = []
    if asked.get("sort", "-at") not in _ORDERS:
        problems.append("Calls are sorted by time only; the newest are first.")
    oldest_first = asked.get("sort") == "at"
    try:
        after, before = (
            Cursor.parse(text) if (text := asked.get(name, "")) else None for name in _PLACES
        )
    except BadCursorError:
        problems.append("There is no such page. This is the first one.")
        after = before = None
    return page_of(search, oldest_first=oldest_first, after=after, before=before), problems


def _links(asked: QueryDict, page: CallPage) -> dict[str, str]:
    """Where the page leads, each with the filter kept."""
    oldest_first = asked.get("sort") == "at"
    return {
        "previous": _query(asked, before=page.previous) if page.previous else "",
        "next": _query(asked, after=page.next) if page.next else "",
        "sort": _query(asked, sort="-at" if oldest_first else "at"),
        "first": _query(asked),
    }


def _query(asked: QueryDict, **changes: object) -> str:
    query = asked.copy()
    for name in (*_PLACES, "seen"):
        query.pop(name, None)
    for name, value in changes.items():
        query[name] = str(value)
    return f"?{query.urlencode()}"

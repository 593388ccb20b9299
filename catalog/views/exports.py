"""The catalog taken along: its filter's offers as a file, sent in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from catalog.exporting import FORMS
from catalog.selection import select

_PIECE = 500  # lines


@require_GET
async def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """A file cannot carry a notice, so a filter that is not understood is refused."""
    selection = await sync_to_async(select)(request.GET)
    if selection.asked.notices:
        told = "\n".join(selection.asked.notices)
        return HttpResponse(told, status=400, content_type="text/plain; charset=utf-8")
    lines, kind = FORMS[form]
    response = StreamingHttpResponse(_pieces(lines(selection)), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="free-models.{form}"'
    return response


async def _pieces(lines: Iterator[str]) -> AsyncIterator[str]:
    while piece := await sync_to_async(_next_piece)(lines):
        yield piece


def _next_piece(lines: Iterator[str]) -> str:
    return "".join(islice(lines, _PIECE))

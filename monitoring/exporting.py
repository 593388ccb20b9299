"""Calls as a file: one line per call, read and written in pieces, so that memory stays small."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from asgiref.sync import sync_to_async
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse

from freellm_site.lib.csv_lines import csv_line
from monitoring.models import CallRecord
from monitoring.owners import owner_names
from monitoring.querysets import CallQuerySet

EXPORTED_AT_MOST = 100_000
EXPORTED = (
    *("call_id", "at", "source", "owner", "outcome", "course", "provider", "model", "cached"),
    *("is_streamed", "duration_s", "first_token_s", "prompt_tokens", "completion_tokens"),
    *("is_usage_estimated", "attempt_count", "throttled_count", "detail"),
)
_CHUNK = 1_000

Facts = dict[str, Any]


async def csv_lines(found: CallQuerySet) -> AsyncIterator[str]:
    yield csv_line(EXPORTED)
    async for chunk in _chunks(found, lambda facts: csv_line(facts.values())):
        yield chunk


async def json_lines(found: CallQuerySet) -> AsyncIterator[str]:
    """JSON Lines: an object per line, which is read as it comes, however many there are."""
    async for chunk in _chunks(found, lambda facts: f"{_JSON.encode(facts)}\n"):
        yield chunk


async def _chunks(found: CallQuerySet, line: Callable[[Facts], str]) -> AsyncIterator[str]:
    rows = found.order_by("-at", "-pk").only(*EXPORTED)[:EXPORTED_AT_MOST]
    iterator = rows.iterator(chunk_size=_CHUNK)
    while chunk := await sync_to_async(_chunk)(iterator, line):
        yield chunk


def _chunk(calls: Iterator[CallRecord], line: Callable[[Facts], str]) -> str:
    chunk = list(islice(calls, _CHUNK))
    owners = owner_names(call.owner for call in chunk)
    return "".join(line(_facts(call, owners)) for call in chunk)


def _facts(call: CallRecord, owners: Mapping[str, str]) -> Facts:
    """As the table shows them: names for owners, nothing where no usage is known."""
    shown: Facts = {"owner": owners[call.owner]}
    if not call.is_usage_known:
        shown |= {"prompt_tokens": None, "completion_tokens": None}
    return {name: shown.get(name, getattr(call, name)) for name in EXPORTED}


def csv_file(name: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> HttpResponse:
    """A chart's figures as a small file."""
    lines = [csv_line(header), *map(csv_line, rows)]
    response = HttpResponse("".join(lines), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


_JSON = json.JSONEncoder(default=DjangoJSONEncoder().default, ensure_ascii=False)

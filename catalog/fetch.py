"""A provider's list over the network: page after page, all of it or nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from catalog.grouping import facts_of
from catalog.lists import ListCall
from catalog.sources.listed import BadList
from catalog.sources.registry import ReadList, next_page, read_list
from catalog.trust import check_length
from gateway.client import Gateway

# All for one list, whatever its number of pages.
MAX_PAGES = 40
MAX_BYTES = 16_000_000
WITHIN_S = 30.0
_LAST_PAGE_WITHIN_S = 1.0  # for a page asked for when the time is all but over

ASKED_AGAIN = "The next refresh asks again."


async def fetch_list(gateway: Gateway, call: ListCall) -> ReadList:
    """Raises GatewayError for what the network did and BadList for what came back."""
    loop = asyncio.get_running_loop()
    until = loop.time() + WITHIN_S
    answers: dict[str, Any] = {}
    url, size = call.url, 0
    while url:
        _check_next(url, answers)
        body = await gateway.get(
            url,
            target=call.target,
            headers=call.headers,
            max_bytes=MAX_BYTES,
            within_s=max(until - loop.time(), _LAST_PAGE_WITHIN_S),
            allows_private_address=call.allows_private_address,
        )
        size += len(body)
        if size > MAX_BYTES:
            raise BadList(f"The list's pages are longer than {MAX_BYTES // 1_000_000} MB together.")
        # Megabytes of JSON would hold up every other list.
        answers[url] = await asyncio.to_thread(_parsed, body)
        url = next_page(call.provider.list_dialect, url, answers[url])
    return await asyncio.to_thread(_read, call, list(answers.values()))


def _check_next(url: str, answers: dict[str, Any]) -> None:
    """A server's fault must not keep us turning its pages for ever; raises BadList."""
    if url in answers:
        raise BadList("The list's pages lead in a circle. Nothing was changed.")
    if len(answers) == MAX_PAGES:
        raise BadList(f"The list goes on after {MAX_PAGES} pages. Nothing was changed.")


def _read(call: ListCall, answers: list[Any]) -> ReadList:
    found = read_list(
        call.provider.list_dialect,
        *answers,
        items_path=call.provider.list_items_path,
        id_field=call.provider.id_field,
        select=call.provider.list_select,
    )
    check_length(found.listed)
    for one in found.listed:
        facts_of(one)  # read while others are still awaited: what was read is kept
    return found


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        if body.lstrip()[:1] == b"<":
            raise BadList(f"A web page came back instead of a list. {ASKED_AGAIN}") from error
        raise BadList(f"The answer is not JSON, or only a part of it. {ASKED_AGAIN}") from error

"""How a page stays up to date: one stream of server-sent events per open page."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from typing import Protocol

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import Http404, HttpRequest, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from freellm_site.lib.event_stream import EventStreamResponse, is_signed_in
from monitoring import live, sampling
from monitoring.samplers import SAMPLERS

HEARTBEAT_S = 2.0
LONGEST_STREAM_S = 600.0  # then the browser connects again by itself
# Who was signed out or deactivated sees nothing more after this time.
SIGNED_IN_EVERY_S = 10.0


class Source(Protocol):
    """What a stream is fed from; it keeps nothing for a viewer who is slow."""

    def viewed(self) -> AbstractContextManager[None]: ...

    async def wait_for_change(self, seen: int, timeout_s: float) -> int: ...

    def state(self, asked: QueryDict) -> str: ...


@require_GET
async def live_events(request: HttpRequest, page: str = "traffic") -> HttpResponseBase:
    """Events `state` about once a second while the picture changes, else `beat`s."""
    source: Source | None = live.current() if page == "traffic" else sampling.channel(page)
    if source is None and page not in {"traffic", *(one.name for one in SAMPLERS)}:
        raise Http404(f"No page “{page}” is live.")
    if source is None:
        return JsonResponse({"error": "No live reader runs in this process."}, status=503)
    last_id = request.headers.get("Last-Event-ID", "")
    events = _events(source, request.GET, _seen(last_id), request.session.session_key or "")
    return EventStreamResponse(events)


async def _events(
    source: Source, asked: QueryDict, seen: int, session_key: str
) -> AsyncGenerator[bytes, None]:
    now = time.monotonic()
    ends_at, look_at = now + LONGEST_STREAM_S, now + SIGNED_IN_EVERY_S
    # Who asked is known; the connection would stay open with the stream, and hold its cache.
    await sync_to_async(connections.close_all)()
    yield b"retry: 2000\n\n"
    with source.viewed():
        while (now := time.monotonic()) < ends_at:
            if now >= look_at:
                look_at = now + SIGNED_IN_EVERY_S
                if not await is_signed_in(session_key):
                    return
            version = await source.wait_for_change(seen, HEARTBEAT_S)
            if version == seen:
                yield b"event: beat\ndata: {}\n\n"
                continue
            seen = version
            state = source.state(asked)
            yield f"event: state\nid: {os.getpid()}-{version}\ndata: {state}\n\n".encode()


def _seen(last_id: str) -> int:
    """The version a viewer saw before a break; another process' versions tell nothing here."""
    process, _, version = last_id.partition("-")
    is_ours = process == str(os.getpid()) and version.isdecimal()
    return int(version) if is_ours else -1

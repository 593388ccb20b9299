"""The live picture as server-sent events, one connection per open page."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from freellm_site.lib.event_stream import EventStreamResponse
from monitoring import live
from monitoring.live import Live
from monitoring.ranges import LIVE
from monitoring.traffic import Traffic

HEARTBEAT_S = 2.0
# Then the browser connects again by itself: whoever was signed out meanwhile is noticed.
LONGEST_STREAM_S = 600.0


@require_GET
async def live_events(request: HttpRequest) -> HttpResponseBase:
    """Events `state` about once a second while the picture changes, else `beat`s."""
    reader = live.current()
    if reader is None:
        return JsonResponse({"error": "No live reader runs in this process."}, status=503)
    return EventStreamResponse(_events(reader, request.GET.get("provider", "")))


async def _events(reader: Live, provider: str) -> AsyncGenerator[bytes, None]:
    ends_at = time.monotonic() + LONGEST_STREAM_S
    seen = -1
    yield b"retry: 2000\n\n"
    while time.monotonic() < ends_at:
        version = await reader.wait_for_change(seen, HEARTBEAT_S)
        if version == seen:
            yield b"event: beat\ndata: {}\n\n"
            continue
        seen = version
        yield f"event: state\nid: {version}\ndata: {_state(reader, provider)}\n\n".encode()


def _state(reader: Live, provider: str) -> str:
    now_s = reader.now_s()
    rate = reader.board.calls_per_s(now_s, provider=provider)
    shown = Traffic(LIVE, reader.board.picture(now_s), provider, rate)
    state = {**shown.state(), "is_connected": reader.is_connected}
    return json.dumps(state, separators=(",", ":"))

"""Server-sent events as a response whose source is closed the moment its reader has gone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from django.contrib.sessions.models import Session
from django.http import StreamingHttpResponse
from django.utils import timezone

from freellm_site.lib.closing import until_closing


async def is_signed_in(session_key: str) -> bool:
    """Whether the session a stream began in still holds: it ends with its account, too."""
    now = timezone.now()
    return await Session.objects.filter(session_key=session_key, expire_date__gt=now).aexists()


class EventStreamResponse(StreamingHttpResponse):
    """Hands its own generator to the server.

    Django's stands between them and is closed without closing what it reads from: the clean-up
    of `events` would then wait for the garbage collector. Streams never end by themselves, so
    they end when the process is asked to stop.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, content_type="text/event-stream")
        self._events = events
        self["Cache-Control"] = "no-store"
        self["X-Accel-Buffering"] = "no"  # nginx would hold the events back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return until_closing(self._events)

"""Server-sent events of a run: what the page swaps in while the answer grows.

Events: `trail` (the attempts so far), `head` (who answers), `stats`, `thinking` (what it has
thought so far, folded), `thought` (a piece more of it), `calls` (the tools it wants called),
`whole` (the answer so far, in place of whatever the page shows of it: a connection may be one's
second), `block` (a finished part more), `tail` (the part that still grows), `done` (the finished
run; the page then closes the stream).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from django.template.loader import render_to_string
from django.utils.html import escape

from gateway.estimate import estimate_tokens
from playground.models import Run, RunState
from playground.presenting import ShownRun
from playground.rendering import GrowingAnswer
from playground.running import carry_out, watch
from playground.services import claim
from playground.totals import totals_of

# Proxies drop connections that are silent for half a minute or so.
HEARTBEAT_EVERY_S = 10.0
# The trail's time axis grows with the call.
TRAIL_EVERY_S = 1.0
# Browsers that lose the connection try again after this time.
RETRY_MS = 2_000


def event(name: str, html: str) -> bytes:
    data = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
    return f"event: {name}\n{data}\n".encode()


async def run_events(run: Run, *, may_start: bool) -> AsyncGenerator[bytes, None]:
    """Carry out the run where nobody has yet, and tell how it goes; always ends in `done`."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    if may_start and await claim(run):
        carry_out(run)
    told, seen = _Told(), run
    async with aclosing(watch(run)) as looks:
        async for seen in looks:
            for one in await told.news(seen):
                yield one
    yield await finished(seen)


async def finished(run: Run) -> bytes:
    context = {"shown": ShownRun(run), "totals": await totals_of(run.conversation_id)}
    # In a thread: a long answer takes long to render, and others wait for this loop.
    html = await asyncio.to_thread(render_to_string, "playground/_run_done.html", context)
    return event("done", html)


def signed_out() -> bytes:
    """The session ended: the page says so and keeps what was typed."""
    return event("done", render_to_string("playground/_signed_out.html"))


class _Told:
    """What this connection has told already."""

    def __init__(self) -> None:
        self._growing = GrowingAnswer()
        self._trail: tuple[int, str, bool] | None = None
        self._answer = ""
        self._thought = 0  # characters of the reasoning
        self._calls = ""
        self._has_begun = False
        self._told_at = time.monotonic()
        self._trail_at = 0.0

    async def news(self, run: Run) -> list[bytes]:
        """Events for what has changed; a comment when there was nothing for long."""
        if run.is_over:
            return []  # `done` tells everything
        events = [*self._trail_news(run), *self._thought_news(run), *self._call_news(run)]
        events += await self._answer_news(run)
        now = time.monotonic()
        if not events and now - self._told_at > HEARTBEAT_EVERY_S:
            events = [b": still here\n\n"]
        if events:
            self._told_at = now
        return events

    def _trail_news(self, run: Run) -> list[bytes]:
        trail = (len(run.trail), run.label, run.first_token_s is None)
        now = time.monotonic()
        is_old = now - self._trail_at > TRAIL_EVERY_S
        if run.state == RunState.QUEUED or (trail == self._trail and not is_old):
            return []
        self._trail, self._trail_at = trail, now
        context = {"shown": ShownRun(run)}
        return [
            event("head", render_to_string("playground/_answer_head.html", context)),
            event("trail", render_to_string("playground/_trail.html", context)),
        ]

    def _thought_news(self, run: Run) -> list[bytes]:
        told, self._thought = self._thought, len(run.reasoning)
        if told == self._thought:
            return []
        stats = _stats(run)
        if not told:
            context = {"shown": ShownRun(run)}
            return [
                event("thinking", render_to_string("playground/_thoughts.html", context)),
                stats,
            ]
        # As a reference, since a piece may end with a line end, which a field would lose.
        piece = escape(run.reasoning[told:]).replace("\n", "&#10;")
        return [event("thought", piece), stats]

    def _call_news(self, run: Run) -> list[bytes]:
        calls = repr(run.tool_calls)
        if not run.tool_calls or calls == self._calls:
            return []
        self._calls = calls
        context = {"shown": ShownRun(run)}
        return [event("calls", render_to_string("playground/_tool_calls.html", context))]

    async def _answer_news(self, run: Run) -> list[bytes]:
        if run.answer == self._answer:
            return []
        self._answer = run.answer
        # In a thread: Markdown can be slow to parse, and others wait for this loop.
        settled, tail = await asyncio.to_thread(self._growing.grow, run.answer)
        stats = _stats(run)
        if not self._has_begun:
            self._has_begun = True
            parts = {"run": run, "settled": settled, "tail": tail}
            return [event("whole", render_to_string("playground/_growing.html", parts)), stats]
        events = [event("block", settled)] if settled else []
        return [*events, event("tail", tail), stats]


def _stats(run: Run) -> bytes:
    tokens = estimate_tokens(run.reasoning) + estimate_tokens(run.answer)
    context = {"shown": ShownRun(run), "tokens": tokens}
    return event("stats", render_to_string("playground/_stats_live.html", context))

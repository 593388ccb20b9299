"""How a run is carried out, streamed or not: by its process, not by who looks at it.

A run goes on while its page is loaded again or its connection is lost for a moment; a tab that
opens in the middle sees it from its beginning. It ends early when somebody stops it, in this
process or another, when nobody has looked for `ALONE_AT_MOST_S`, and when the process ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import Error as DatabaseError
from django.utils import timezone

from catalog.targets import targets_for
from freellm_site.lib.closing import closing_event
from gateway.errors import GatewayError
from gateway.types import StreamItem
from playground.ending import BROKE, DELETED, LEFT, RESTARTED, end, stop, take
from playground.models import Run, RunState
from playground.orphans import settle_if_interrupted, settle_orphans
from playground.upstream import Call, request_of

logger = logging.getLogger(__name__)

# Steps are at least this far apart: an eye cannot follow more than ten a second.
STEP_EVERY_S = 0.1
# The answer so far is written, and a stop asked of another process noticed, this often.
SAVE_EVERY_S = 0.5
# A flood of an answer is written ever more rarely: the whole of it goes to the database each time.
SAVE_LATER_PER_CHARACTERS = 20_000  # another `SAVE_EVERY_S` for each
# Long enough to load a page again on a phone; then nobody waits for the answer any more.
ALONE_AT_MOST_S = 15.0
# Who looks from another process says so this often.
LOOKING_EVERY_S = 2.0
SWEEP_EVERY_S = 5.0

_carried: dict[int, Carried] = {}


@dataclass(slots=True)
class Carried:
    """A run that this process carries out. Whoever looks at it here sees the same `run`."""

    run: Run
    call: Call = field(default_factory=Call)
    task: asyncio.Task[None] | None = None
    _kept_at: float = 0.0  # when what it has said was last written
    _viewers: int = 0
    _alone_since: float = field(default_factory=time.monotonic)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def viewed(self) -> Iterator[None]:
        self._viewers += 1
        try:
            yield
        finally:
            self._viewers -= 1
            self._alone_since = time.monotonic()

    async def news(self) -> None:
        """Wait for the next step, for `SAVE_EVERY_S` at most."""
        waiting = asyncio.ensure_future(self._news.wait())
        await asyncio.wait([waiting], timeout=SAVE_EVERY_S)
        waiting.cancel()

    async def carry_out(self) -> None:
        """However it ends, the database then holds the run as it ended."""
        try:
            await self._follow_call()
        except Exception:
            logger.exception("Run %d stumbled", self.run.pk)
            end(self.run, RunState.FAILED, BROKE)
        finally:
            if not self.run.is_over:
                stop(self.run, RESTARTED)
            await asyncio.shield(_save_end(self.run))
            _carried.pop(self.run.pk, None)
            self._tell()

    async def _follow_call(self) -> None:
        targets = await targets_for(self.run.plan)
        request = await request_of(self.run, targets)
        await _save_request(self.run)
        if not self.call.is_stopped:
            self.call.start(request, targets)
        try:
            await self._follow()
        finally:
            await self.call.close()

    async def _follow(self) -> None:
        saved_at = time.monotonic()
        while not self.run.is_over:
            for item in await self._said():
                take(self.run, item)
            if self.call.is_stopped and not self.run.is_over:
                stop(self.run, self.call.why_stopped)
            self._tell()
            if time.monotonic() - saved_at >= SAVE_EVERY_S:
                saved_at = time.monotonic()
                await self._look_around()
            await asyncio.sleep(STEP_EVERY_S)

    async def _said(self) -> list[StreamItem | GatewayError | None]:
        items = await self.call.take(0 if self.call.is_stopped else SAVE_EVERY_S)
        if not self.call.is_stopped:
            return items
        # How it ends says nothing where it was told to end.
        return [item for item in items if isinstance(item, StreamItem)]

    async def _look_around(self) -> None:
        now, run = time.monotonic(), self.run
        length = len(run.answer) + len(run.reasoning)
        pause_s = SAVE_EVERY_S * (length // SAVE_LATER_PER_CHARACTERS)
        is_due = now - self._kept_at >= pause_s
        if is_due:
            self._kept_at = now
        if not await _save_progress(run, _SAID if is_due else ()):
            self.call.stop()
        elif await self._is_alone():
            self.call.stop(LEFT)

    async def _is_alone(self) -> bool:
        if self._viewers or time.monotonic() - self._alone_since < ALONE_AT_MOST_S:
            return False
        recently = timezone.now() - timedelta(seconds=ALONE_AT_MOST_S)
        return not await Run.objects.filter(pk=self.run.pk, looked_at__gte=recently).aexists()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def carry_out(run: Run) -> None:
    """Begin to carry out a claimed run; it goes on whether or not anybody looks."""
    carried = Carried(run)
    _carried[run.pk] = carried
    carried.task = asyncio.create_task(carried.carry_out(), name=f"run {run.pk}")


def stop_here(run_pk: int) -> bool:
    """Stop a run that this process carries out; False where it is not one of ours."""
    carried = _carried.get(run_pk)
    if carried is not None:
        carried.call.stop()
    return carried is not None


async def watch(run: Run) -> AsyncGenerator[Run, None]:
    """The run as it goes, wherever it is carried out; at last as it ended."""
    carried = _carried.get(run.pk)
    if carried is None:
        async for seen in _watch_from_afar(run):
            yield seen
        return
    with carried.viewed():
        while _carried.get(run.pk) is carried:
            yield carried.run
            await carried.news()
    yield carried.run


async def _watch_from_afar(run: Run) -> AsyncGenerator[Run, None]:
    """Read the database until another process has carried the run out, or is gone itself."""
    said_at = 0.0
    await settle_if_interrupted(run)
    while not run.is_over:
        if time.monotonic() - said_at > LOOKING_EVERY_S:
            said_at = time.monotonic()
            await Run.objects.filter(pk=run.pk).aupdate(looked_at=timezone.now())
        yield run
        await asyncio.sleep(SAVE_EVERY_S)
        await _refresh(run)
    yield run


async def _refresh(run: Run) -> None:
    try:
        await run.arefresh_from_db(from_queryset=Run.objects.select_related("conversation"))
    except Run.DoesNotExist:
        stop(run, DELETED)
    await settle_if_interrupted(run)


@asynccontextmanager
async def carrying() -> AsyncIterator[None]:
    """For as long as the web process lives: end what killed processes left, and at last ours."""
    helpers = [
        asyncio.create_task(_sweep(), name="orphaned runs"),
        asyncio.create_task(_stop_at_the_end(), name="runs at the end"),
    ]
    try:
        yield
    finally:
        for helper in helpers:
            helper.cancel()
        await asyncio.wait([*helpers, *_stop_all()])


async def _stop_at_the_end() -> None:
    """At once: when the whole house stops, so do local providers, which is not their failure."""
    await closing_event().wait()
    _stop_all()


def _stop_all() -> list[asyncio.Task[None]]:
    for carried in tuple(_carried.values()):
        carried.call.stop(RESTARTED)
    return [carried.task for carried in _carried.values() if carried.task is not None]


async def _sweep() -> None:
    while True:
        try:
            await settle_orphans()
        except DatabaseError as error:
            logger.warning("Runs of killed processes could not be looked for: %s", error)
        await asyncio.sleep(SWEEP_EVERY_S)


async def _save_request(run: Run) -> None:
    """Before the call begins: should this process be killed, the call is known of."""
    await Run.objects.filter(pk=run.pk).aupdate(
        call_id=run.call_id,
        prompt_tokens=run.prompt_tokens,
        is_usage_estimated=True,
        dropped_turns=run.dropped_turns,
    )


_SAID = ("answer", "reasoning", "tool_calls")


async def _save_progress(run: Run, said: Sequence[str]) -> bool:
    """Write how it goes, with what was `said` so far; False when it is to stop, or is gone."""
    run.beat_at = timezone.now()
    written = await Run.objects.filter(
        pk=run.pk, state=RunState.RUNNING, is_stop_asked=False
    ).aupdate(
        beat_at=run.beat_at, trail=run.trail, label=run.label,
        provider=run.provider, model=run.model, cached=run.cached,
        first_token_s=run.first_token_s, **{name: getattr(run, name) for name in said},
    )  # fmt: skip
    return bool(written)


async def _save_end(run: Run) -> None:
    await Run.objects.filter(pk=run.pk).aupdate(
        **{
            name: getattr(run, name)
            for name in (
                *_SAID, "state", "error", "provider", "model", "label", "call_id", "cached",
                "finish_reason", "first_token_s", "duration_s", "tokens_per_s", "prompt_tokens",
                "completion_tokens", "is_usage_estimated", "trail", "dropped_turns",
                "finished_at",
            )
        }
    )  # fmt: skip

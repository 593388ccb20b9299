"""The one way a run is carried out, streamed or not.

The call upstream is a task of its own. Whoever drives the run takes what the task has put into
its inbox; a driver that is closed or cancelled, a stop in this process and a stop noticed in
the database all cancel that task, and with it the connection upstream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass, field

from django.utils import timezone

from catalog.engine import engine
from catalog.targets import targets_for
from gateway.errors import AllTargetsFailed, GatewayError, StreamCut
from gateway.estimate import estimate_prompt_tokens, estimate_tokens
from gateway.types import (
    Attempt,
    CacheMode,
    ChatRequest,
    Chunk,
    Completion,
    Message,
    Outcome,
    Priority,
    Started,
    StreamItem,
    Target,
)
from playground.models import Run, RunState
from playground.planning import history

# Steps are at least this far apart: an eye cannot follow more than ten a second.
STEP_EVERY_S = 0.1
# The answer so far is written, and a stop asked of another process noticed, this often.
SAVE_EVERY_S = 0.5
CANCEL_EVERY_S = 0.2
# Tokens kept free for the answer where no maximum was asked for.
DEFAULT_ROOM = 1_200

_stoppable: dict[int, Call] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """What changed in the run since the last step; all False is a sign of life."""

    attempts: bool = False
    answer: bool = False


@dataclass(slots=True)
class Call:
    """The call upstream, and what it has said that nobody has taken yet."""

    inbox: asyncio.Queue[StreamItem | GatewayError | None] = field(default_factory=asyncio.Queue)
    task: asyncio.Task[None] | None = None
    is_stopped: bool = False

    async def run(self, request: ChatRequest, targets: Sequence[Target]) -> None:
        try:
            async with engine() as gateway, aclosing(gateway.stream(request, targets)) as items:
                async for item in items:
                    if self.is_stopped:  # and the cancellation was lost, see `close`
                        break
                    self.inbox.put_nowait(item)
        except GatewayError as error:
            self.inbox.put_nowait(error)
        finally:
            self.inbox.put_nowait(None)

    def stop(self) -> None:
        self.is_stopped = True
        if self.task is not None:
            self.task.cancel()

    async def close(self) -> None:
        """Cancel until it has ended: redis-py loses a cancellation that meets it connecting."""
        while self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=CANCEL_EVERY_S)

    async def take(self, timeout_s: float) -> list[StreamItem | GatewayError | None]:
        """All there is, waiting for the first; nothing after `timeout_s`."""
        try:
            first = await asyncio.wait_for(self.inbox.get(), timeout_s)
        except TimeoutError:
            return []
        return [first, *(self.inbox.get_nowait() for _ in range(self.inbox.qsize()))]


def stop_here(run_pk: int) -> bool:
    """Stop a run that this process carries out; False where it is not one of ours."""
    call = _stoppable.get(run_pk)
    if call is not None:
        call.stop()
    return call is not None


async def drive(run: Run) -> AsyncGenerator[Step, None]:
    """Carry out a claimed run, writing into `run` what comes back; ends when the run is over.

    However it ends, the database then holds the run as it ended.
    """
    try:
        async with _calling(run) as call:
            async for step in _follow(run, call):
                yield step
    finally:
        if not run.is_over:  # closed or cancelled by whoever drives
            _end(run, RunState.STOPPED, "The connection to your browser was lost.")
        await asyncio.shield(_save_end(run))


@asynccontextmanager
async def _calling(run: Run) -> AsyncIterator[Call]:
    call = Call()
    targets = await targets_for(run.plan)
    request = await _request(run, targets)
    call.task = asyncio.create_task(call.run(request, targets))
    _stoppable[run.pk] = call
    try:
        yield call
    finally:
        del _stoppable[run.pk]
        await call.close()


async def _follow(run: Run, call: Call) -> AsyncGenerator[Step, None]:
    saved_at = time.monotonic()
    while not run.is_over:
        items = await call.take(SAVE_EVERY_S)
        step = Step(
            attempts=any(isinstance(item, Attempt | Started) for item in items),
            answer=any(isinstance(item, Chunk) for item in items),
        )
        for item in items:
            _apply(run, item, call)
        if call.is_stopped and not run.is_over:
            _end(run, RunState.STOPPED)
        yield step
        if time.monotonic() - saved_at >= SAVE_EVERY_S:
            saved_at = time.monotonic()
            if not await _save_progress(run):
                call.stop()
        await asyncio.sleep(STEP_EVERY_S)


def _apply(run: Run, item: StreamItem | GatewayError | None, call: Call) -> None:
    match item:
        case Attempt():
            run.trail.append(asdict(item))
        case Started():
            run.provider, run.model, run.label = item.provider, item.model, item.label
            run.cached = item.cached
        case Chunk():
            if run.first_token_s is None and run.started_at is not None:
                run.first_token_s = (timezone.now() - run.started_at).total_seconds()
            run.answer += item.text
        case Completion():
            _complete(run, item)
        case GatewayError():
            _fail(run, item)
        case None if not run.is_over:
            why = "" if call.is_stopped else "The call ended without an answer."
            _end(run, RunState.STOPPED if call.is_stopped else RunState.FAILED, why)


def _complete(run: Run, done: Completion) -> None:
    run.answer, run.label = done.text, done.label
    run.provider, run.model, run.cached = done.provider, done.model, done.cached
    run.finish_reason = done.finish_reason[:40]
    run.first_token_s, run.duration_s = done.first_token_s, done.duration_s
    run.tokens_per_s = done.tokens_per_s
    run.prompt_tokens = done.usage.prompt_tokens
    run.completion_tokens = done.usage.completion_tokens
    run.is_usage_estimated = done.usage.is_estimated
    run.trail = [asdict(attempt) for attempt in done.attempts]
    _end(run, RunState.DONE)


def _fail(run: Run, error: GatewayError) -> None:
    if isinstance(error, AllTargetsFailed):
        run.trail = [asdict(attempt) for attempt in error.attempts]
    message = error.message
    if isinstance(error, StreamCut):
        message = f"{message} What came until then is kept; nobody else was asked to go on."
    _end(run, RunState.FAILED, message)


def _end(run: Run, state: RunState, error: str = "") -> None:
    run.state, run.error, run.finished_at = state, error, timezone.now()
    if run.duration_s is None and run.started_at is not None:
        run.duration_s = (run.finished_at - run.started_at).total_seconds()
    if state is RunState.DONE:
        return
    if run.answer:
        run.completion_tokens = estimate_tokens(run.answer)
        run.is_usage_estimated = True
    if run.label and not run.cached:
        outcome = Outcome.CANCELLED if state is RunState.STOPPED else Outcome.CUT
        run.trail.append(asdict(_broken_off(run, outcome)))


def _broken_off(run: Run, outcome: Outcome) -> Attempt:
    """The attempt that had begun to answer: the engine tells of it to nobody who has left."""
    begun_s = max([0.0, *(one["started_s"] + one["duration_s"] for one in run.trail)])
    first_token_s = None if run.first_token_s is None else max(0.0, run.first_token_s - begun_s)
    return Attempt(
        provider=run.provider,
        model=run.model,
        label=run.label,
        outcome=outcome,
        started_s=begun_s,
        first_token_s=first_token_s,
        duration_s=max(0.0, (run.duration_s or 0.0) - begun_s),
    )


async def _save_progress(run: Run) -> bool:
    """Write the answer so far; False when somebody asked to stop, or the run is gone."""
    run.beat_at = timezone.now()
    written = await Run.objects.filter(
        pk=run.pk, state=RunState.RUNNING, is_stop_asked=False
    ).aupdate(
        beat_at=run.beat_at, answer=run.answer, trail=run.trail, label=run.label,
        provider=run.provider, model=run.model, first_token_s=run.first_token_s,
    )  # fmt: skip
    return bool(written)


async def _save_end(run: Run) -> None:
    await Run.objects.filter(pk=run.pk).aupdate(
        **{
            name: getattr(run, name)
            for name in (
                "state", "answer", "error", "provider", "model", "label", "call_id", "cached",
                "finish_reason", "first_token_s", "duration_s", "tokens_per_s", "prompt_tokens",
                "completion_tokens", "is_usage_estimated", "trail", "dropped_turns",
                "finished_at",
            )
        }
    )  # fmt: skip


async def _request(run: Run, targets: Sequence[Target]) -> ChatRequest:
    parameters = run.parameters
    turns = await history(run.conversation_id, run.context_before)
    messages = _fitting(run, turns, targets)
    request = ChatRequest(
        messages=messages,
        temperature=parameters.get("temperature"),
        top_p=parameters.get("top_p"),
        max_tokens=parameters.get("max_tokens"),
        stop=tuple(parameters.get("stop") or ()),
        seed=parameters.get("seed"),
        priority=Priority.INTERACTIVE,
        cache=CacheMode.USE if parameters.get("use_caches") else CacheMode.REFRESH,
        owner=f"user:{run.conversation.user_id}",
        source="playground",
    )
    run.call_id = request.call_id
    return request


def _fitting(run: Run, turns: list[Message], targets: Sequence[Target]) -> tuple[Message, ...]:
    """The messages, without the oldest turns that the first target has no room for."""
    system = [Message("system", run.system)] if run.system.strip() else []
    prompt = Message("user", run.prompt)
    context = targets[0].context_tokens if targets else None
    if context is not None:
        reserved = run.parameters.get("max_tokens") or DEFAULT_ROOM
        while turns and estimate_prompt_tokens([*system, *turns, prompt]) + reserved > context:
            turns = turns[2:]  # a question and its answer
            run.dropped_turns += 1
    return (*system, *turns, prompt)

"""What a run keeps of what comes back, and how it ends. Writes into the row, saves nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.utils import timezone

from gateway.errors import AllTargetsFailed, GatewayError, StreamCut
from gateway.estimate import estimate_tokens
from gateway.types import (
    Attempt,
    Chunk,
    Completion,
    Outcome,
    Reasoning,
    Started,
    StreamItem,
    ToolCallDelta,
)
from playground.models import Run, RunState

LEFT = "Nobody was looking any more, so the call was ended."
RESTARTED = "The server was restarted while this was answered. Ask again to go on."
DELETED = "The conversation was deleted meanwhile."
BROKE = "Something inside FreeLLM failed. Ask again; its log tells what it was."
_NO_ANSWER = "The call ended without an answer."


def stop(run: Run, why: str = "") -> None:
    """End it as the person wished, or for the reason given."""
    end(run, RunState.STOPPED, why, outcome=Outcome.CANCELLED)


def take(run: Run, item: StreamItem | GatewayError | None) -> None:
    """Note one thing the call has said; None is its end."""
    match item:
        case Attempt():
            run.trail.append(asdict(item))
        case Started():
            run.provider, run.model, run.label = item.provider, item.model, item.label
            run.cached = item.cached
        case Chunk():
            _note_first_token(run)
            run.answer += item.text
        case Reasoning():
            _note_first_token(run)
            run.reasoning += item.text
        case ToolCallDelta():
            _note_first_token(run)
            _add_to_call(run, item)
        case Completion():
            _complete(run, item)
        case GatewayError():
            _fail(run, item)
        case None if not run.is_over:
            end(run, RunState.FAILED, _NO_ANSWER)


def _note_first_token(run: Run) -> None:
    if run.first_token_s is None and run.started_at is not None:
        run.first_token_s = (timezone.now() - run.started_at).total_seconds()


def _add_to_call(run: Run, piece: ToolCallDelta) -> None:
    """Pieces are numbered from 0 on, in the order in which their calls begin."""
    if piece.index >= len(run.tool_calls):
        run.tool_calls.append({"name": "", "arguments": ""})
    call = run.tool_calls[min(piece.index, len(run.tool_calls) - 1)]
    call["name"] = call["name"] or piece.name
    call["arguments"] += piece.arguments


def end(
    run: Run,
    state: RunState,
    error: str = "",
    *,
    outcome: Outcome = Outcome.CUT,
    at: datetime | None = None,
) -> None:
    """`outcome` is that of the attempt that had begun to answer; `at` is now unless told."""
    run.state, run.error, run.finished_at = state, error, at or timezone.now()
    if run.duration_s is None and run.started_at is not None:
        run.duration_s = max(0.0, (run.finished_at - run.started_at).total_seconds())
    if state is RunState.DONE:
        return
    run.is_usage_estimated = bool(run.label)
    said = run.reasoning + run.answer + "".join(one["arguments"] for one in run.tool_calls)
    run.completion_tokens = estimate_tokens(said) if said else None
    if not run.label:
        run.prompt_tokens = None  # nobody is known to have read it
    elif not run.cached:
        run.trail.append(asdict(_broken_off(run, outcome, error)))


def _complete(run: Run, done: Completion) -> None:
    run.answer, run.reasoning, run.label = done.text, done.reasoning, done.label
    run.tool_calls = [{"name": one.name, "arguments": one.arguments} for one in done.tool_calls]
    run.provider, run.model, run.cached = done.provider, done.model, done.cached
    run.finish_reason = done.finish_reason[:40]
    run.first_token_s, run.duration_s = done.first_token_s, done.duration_s
    run.tokens_per_s = done.tokens_per_s
    run.prompt_tokens = done.usage.prompt_tokens
    run.completion_tokens = done.usage.completion_tokens
    run.is_usage_estimated = done.usage.is_estimated
    run.trail = [asdict(attempt) for attempt in done.attempts]
    end(run, RunState.DONE)


def _fail(run: Run, error: GatewayError) -> None:
    if isinstance(error, AllTargetsFailed):
        run.trail = [asdict(attempt) for attempt in error.attempts]
    message = error.message
    if isinstance(error, StreamCut):
        message = f"{message} What came until then is kept; nobody else was asked to go on."
    end(run, RunState.FAILED, message)


def _broken_off(run: Run, outcome: Outcome, detail: str) -> Attempt:
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
        detail=detail,
    )

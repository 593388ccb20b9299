"""What follows from how an attempt ended: for the quota, for the next attempt, for the caller."""

from __future__ import annotations

import asyncio

from gateway.call import Call, Try
from gateway.errors import (
    AllTargetsFailed,
    DeadlinePassed,
    GatewayError,
    ProviderError,
    StreamCut,
)
from gateway.exchange import Answer
from gateway.policy import Policy
from gateway.resilience.backoff import pause_s
from gateway.types import ChatRequest, Completion

_REFUSALS = range(400, 600)


def tokens_used(request: ChatRequest, answer: Answer, error: BaseException | None) -> int | None:
    """As far as it is known; None where nobody knows how far it came."""
    has_worked = answer.has_content or isinstance(error, asyncio.CancelledError | GeneratorExit)
    if error is None or has_worked:
        return answer.final_usage(request).total_tokens
    if isinstance(error, ProviderError) and error.status in _REFUSALS:
        return 0
    return None


def was_reached(error: GatewayError) -> bool:
    return isinstance(error, ProviderError | DeadlinePassed) and getattr(error, "was_reached", True)


def ends_call(error: GatewayError) -> bool:
    """Whether no other target could do better."""
    if isinstance(error, ProviderError):
        return error.is_callers_fault
    return isinstance(error, DeadlinePassed)


def stream_cut(error: GatewayError) -> StreamCut:
    status = error.status if isinstance(error, ProviderError) else None
    return StreamCut(f"The answer broke off: {error.message}", status=status)


def retry_pause_s(error: GatewayError, number: int, call: Call, policy: Policy) -> float | None:
    """How long to pause before this target is tried again; None where it should not be."""
    retry = policy.retry
    if not isinstance(error, ProviderError) or not error.is_retryable:
        return None
    if number >= retry.max_attempts or (error.retry_after_s or 0) > retry.cap_s:
        return None
    pause = pause_s(number, retry, error.retry_after_s)
    return pause if pause < call.remaining_s else None


def completion(attempt: Try, answer: Answer) -> Completion:
    call, target = attempt.call, attempt.target
    first_token_s = attempt.first_token_s
    return Completion(
        call_id=call.request.call_id,
        text="".join(answer.text),
        finish_reason=answer.finish_reason,
        usage=answer.final_usage(call.request),
        provider=target.provider,
        model=target.model,
        label=target.label,
        attempts=tuple(call.attempts),
        first_token_s=None if first_token_s is None else attempt.started_s + first_token_s,
        duration_s=call.elapsed_s,
        reasoning="".join(answer.reasoning),
        tool_calls=answer.tool_calls,
        dropped=answer.dropped,
    )


def all_failed(call: Call) -> AllTargetsFailed:
    """Names the last cause, and when the first of the targets may be asked again."""
    waits = [one.retry_after_s for one in call.attempts if one.retry_after_s is not None]
    last = call.attempts[-1]
    tried = len({(one.provider, one.model, one.key_id) for one in call.attempts})
    cause = f"{last.label}: {last.detail}"
    return AllTargetsFailed(
        f"None of {tried} targets answered. The last one, {cause}" if tried > 1 else cause,
        call.attempts,
        retry_after_s=min(waits, default=None),
    )

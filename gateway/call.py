"""One call on its way: its clock, its deadline and its trail."""

from __future__ import annotations

from gateway.clock import Clock
from gateway.errors import DeadlinePassed, GatewayError, ProviderError
from gateway.events import CallEvent
from gateway.exchange import Answer
from gateway.types import Attempt, ChatRequest, Completion, Outcome, Target, Usage


class Call:
    """What one call has gone through. Times are seconds since it began."""

    def __init__(self, request: ChatRequest, clock: Clock, *, is_streamed: bool) -> None:
        self.request = request
        self.is_streamed = is_streamed
        self.attempts: list[Attempt] = []
        self.last_error: GatewayError | None = None
        self.has_begun = False  # text has reached the caller: no second answer may follow
        self.tries = 0
        self.patience_used_s = 0.0  # waited, for want of another target, for one to let it pass
        self.current: Try | None = None  # the attempt that was begun last
        self.called_off = ""  # why somebody took the call out, in words
        self.underway: Answer | None = None  # of the attempt that a provider works on, or did
        self._clock = clock
        self._began = clock.monotonic()
        self._began_unix = clock.unix()

    @property
    def elapsed_s(self) -> float:
        return self._clock.monotonic() - self._began

    @property
    def remaining_s(self) -> float:
        return self.request.deadline_s - self.elapsed_s

    def check_deadline(self) -> None:
        if self.remaining_s <= 0:
            raise DeadlinePassed(
                f"The call had {self.request.deadline_s:.3g} s, and they are over."
            )

    def event(self, outcome: Outcome, completion: Completion | None, detail: str) -> CallEvent:
        """The call as it ended; a failed one names the last target it tried."""
        last = self.attempts[-1] if self.attempts else None
        by = completion or last
        usage = completion.usage if completion else self._usage_so_far()
        return CallEvent(
            call_id=self.request.call_id,
            at=self._began_unix,
            source=self.request.source,
            owner=self.request.owner,
            outcome=outcome,
            provider=by.provider if by else "",
            model=by.model if by else "",
            key_id=last.key_id if last and not (completion and completion.cached) else "none",
            cached=completion.cached if completion else "",
            is_streamed=self.is_streamed,
            duration_s=self.elapsed_s,
            first_token_s=completion.first_token_s if completion else _first_token_s(last),
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            is_usage_estimated=usage.is_estimated,
            attempts=tuple(self.attempts),
            detail=detail,
        )

    def _usage_so_far(self) -> Usage:
        """Of a call without an end: the prompt was read and the text written, at a guess."""
        return self.underway.final_usage(self.request) if self.underway else Usage()


def _first_token_s(last: Attempt | None) -> float | None:
    if last is None or last.first_token_s is None:
        return None
    return last.started_s + last.first_token_s


class Try:
    """One attempt in the making."""

    def __init__(self, call: Call, target: Target, *, is_last: bool = True) -> None:
        self.call = call
        self.target = target
        self.is_last = is_last  # no other target is left
        self.is_over = False
        self.id = f"{call.request.call_id}.{call.tries}"
        call.tries += 1
        call.current = self
        self.started_s = self.sent_s = call.elapsed_s
        self.turn_at_s: float | None = None  # while it waits for its quota: until about when
        self.answer: Answer | None = None  # once it is sent
        self.limiter_wait_s = 0.0
        self.first_token_s: float | None = None  # from the attempt's start

    def note_sent(self, answer: Answer) -> None:
        """It has waited for its turn and its quota; what follows is the provider's time."""
        self.sent_s = self.call.elapsed_s
        self.answer = self.call.underway = answer

    @property
    def is_sent(self) -> bool:
        return self.answer is not None

    @property
    def took_s(self) -> float:
        """From sending to the first token, or until now: what follows depends on the length."""
        until_s = self.call.elapsed_s
        if self.first_token_s is not None:
            until_s = self.started_s + self.first_token_s
        return until_s - self.sent_s

    def note_token(self) -> None:
        if self.first_token_s is None:
            self.first_token_s = self.call.elapsed_s - self.started_s

    def succeeded(self, status: int | None, dropped: tuple[str, ...] = ()) -> Attempt:
        left_out = f"Sent without {', '.join(dropped)}: not taken there." if dropped else ""
        return self._ended(Outcome.ANSWERED, status=status, detail=left_out, dropped=dropped)

    def cancelled(self, why: str = "The caller went away.") -> Attempt:
        return self._ended(Outcome.CANCELLED, detail=self.call.called_off or why)

    def failed(self, error: GatewayError) -> Attempt:
        self.call.last_error = error
        if not self.call.has_begun:
            self.call.underway = None  # it came to nothing
        return self._ended(
            error.outcome,
            status=error.status if isinstance(error, ProviderError) else None,
            detail=error.message,
            retry_after_s=error.retry_after_s,
        )

    def _ended(
        self,
        outcome: Outcome,
        *,
        status: int | None = None,
        detail: str = "",
        retry_after_s: float | None = None,
        dropped: tuple[str, ...] = (),
    ) -> Attempt:
        self.is_over = True
        sent_s = None if self.answer is None else self.sent_s - self.started_s
        head_after_s = None if self.answer is None else self.answer.head_after_s
        attempt = Attempt(
            provider=self.target.provider,
            model=self.target.model,
            label=self.target.label,
            key_id=self.target.key_id,
            outcome=outcome,
            status=status,
            started_s=self.started_s,
            limiter_wait_s=self.limiter_wait_s,
            sent_s=sent_s,
            head_s=None if sent_s is None or head_after_s is None else sent_s + head_after_s,
            first_token_s=self.first_token_s,
            duration_s=self.call.elapsed_s - self.started_s,
            detail=detail,
            retry_after_s=retry_after_s,
            dropped=dropped,
        )
        self.call.attempts.append(attempt)
        return attempt

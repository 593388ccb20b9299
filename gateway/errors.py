"""Everything that can go wrong, in one tree. First split: did we refuse, or did they?

GatewayError
├── NotSent                 refused at home: no quota spent, safe to go elsewhere
│   ├── RateLimited         the limiter would wait longer than the caller may
│   ├── CircuitOpen         the breaker holds calls back
│   ├── QueueFull           too many calls wait already
│   ├── DeadlinePassed      no time left to start
│   ├── NotConfigured       a key or an address is missing
│   ├── KeySetAside         the key was refused a while ago
│   └── NotCached           only the cache was asked, and it had nothing
├── ProviderError           the provider refused or failed
│   ├── ProviderTimeout     connect, first token or between tokens took too long
│   ├── ProviderUnavailable network, 5xx, overloaded
│   ├── Throttled           429 that time cures
│   ├── QuotaExhausted      the day's, the month's or the credit's end
│   ├── AuthRejected        the key is wrong
│   ├── Forbidden           the key may not do this
│   ├── ModelGone           404, 410: not offered (any more)
│   ├── InvalidRequest      the request itself is at fault
│   │   ├── ContextTooLong
│   │   └── ContentBlocked
│   ├── MalformedReply      not what the dialect promises
│   └── StreamCut           the stream ended before its end
├── CalledOff               somebody who may took the call out
└── AllTargetsFailed        every target was tried; carries the trail
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gateway.types import Attempt, Outcome, SaidLimit


class GatewayError(Exception):
    """Base of the tree. The message is one sentence for a person, without secrets."""

    outcome: Outcome = Outcome.UNAVAILABLE

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s

    def say(self, message: str) -> None:
        """Put it in other words."""
        self.message = message
        self.args = (message,)


class NotSent(GatewayError):
    """Refused at home: no quota spent."""


class RateLimited(NotSent):
    outcome = Outcome.RATE_LIMITED


class CircuitOpen(NotSent):
    outcome = Outcome.CIRCUIT_OPEN


class QueueFull(NotSent):
    outcome = Outcome.QUEUE_FULL


class DeadlinePassed(NotSent):
    outcome = Outcome.DEADLINE_PASSED


class NotConfigured(NotSent):
    outcome = Outcome.NOT_CONFIGURED


class KeySetAside(NotSent):
    """Refused a while ago: `outcome` says as what. It rests until it is changed or tested."""

    def __init__(
        self, message: str, *, outcome: Outcome, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.outcome = outcome


class NotCached(NotSent):
    outcome = Outcome.NOT_CACHED


class ProviderError(GatewayError):
    """The provider refused or failed.

    `status` is the HTTP status, None where none arrived. `is_retryable`: may the same target
    succeed soon? `is_callers_fault`: would every other target refuse as well?
    `counts_as_failure`: does the breaker hear of it? `was_reached` is False where no connection
    was made, so that no quota can have been used. `said` is what the refusal's body told of the
    limits behind it.
    """

    is_retryable: ClassVar[bool] = False
    is_callers_fault: ClassVar[bool] = False
    counts_as_failure: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after_s: float | None = None,
        was_reached: bool = True,
        said: tuple[SaidLimit, ...] = (),
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.status = status
        self.was_reached = was_reached
        self.said = said


class ProviderTimeout(ProviderError):
    outcome = Outcome.TIMEOUT
    is_retryable = True
    counts_as_failure = True


class ProviderUnavailable(ProviderError):
    outcome = Outcome.UNAVAILABLE
    is_retryable = True
    counts_as_failure = True


class Throttled(ProviderError):
    outcome = Outcome.THROTTLED
    is_retryable = True


class QuotaExhausted(ProviderError):
    outcome = Outcome.QUOTA_EXHAUSTED


class AuthRejected(ProviderError):
    outcome = Outcome.AUTH_REJECTED


class Forbidden(ProviderError):
    outcome = Outcome.FORBIDDEN


class ModelGone(ProviderError):
    outcome = Outcome.MODEL_GONE


class InvalidRequest(ProviderError):
    outcome = Outcome.INVALID_REQUEST
    is_callers_fault = True


class ContextTooLong(InvalidRequest):
    """Too long for this model; another may have room."""

    outcome = Outcome.CONTEXT_TOO_LONG
    is_callers_fault = False


class ContentBlocked(InvalidRequest):
    """Refused by this provider's filter; another may answer."""

    outcome = Outcome.CONTENT_BLOCKED
    is_callers_fault = False


class MalformedReply(ProviderError):
    outcome = Outcome.MALFORMED
    is_retryable = True
    counts_as_failure = True


class StreamCut(ProviderError):
    outcome = Outcome.CUT
    is_retryable = True
    counts_as_failure = True


class CalledOff(GatewayError):
    outcome = Outcome.CANCELLED


class AllTargetsFailed(GatewayError):
    """Nobody answered. `attempts` is the trail; the message names the last cause."""

    def __init__(
        self, message: str, attempts: Sequence[Attempt], *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.attempts = tuple(attempts)
        if attempts:
            self.outcome = attempts[-1].outcome

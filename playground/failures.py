"""Why nobody answered, target by target: in our words, with the way on. Pure.

What a provider said itself is kept beside, to be unfolded: its words help who runs the provider's
account, and confuse everybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.types import Outcome


class Remedy(StrEnum):
    """The way on; the template knows its words and its link."""

    RETRY = "retry"
    WAIT = "wait"  # until a known time
    OTHER = "other"  # ask another model
    PROVIDER = "provider"  # mend the key or the address on the provider's page
    SHORTEN = "shorten"
    PARAMETERS = "parameters"
    REWORD = "reword"


_WHAT: dict[Outcome, tuple[str, Remedy]] = {
    Outcome.RATE_LIMITED: ("Its quota is used up for now", Remedy.OTHER),
    Outcome.THROTTLED: ("It takes no more calls just now", Remedy.OTHER),
    Outcome.QUOTA_EXHAUSTED: ("Its quota is used up", Remedy.OTHER),
    Outcome.CIRCUIT_OPEN: ("It failed too often lately and rests", Remedy.OTHER),
    Outcome.QUEUE_FULL: ("Too many calls wait for it already", Remedy.RETRY),
    Outcome.DEADLINE_PASSED: ("No time was left for it", Remedy.RETRY),
    Outcome.NOT_CONFIGURED: ("Its key or its address is missing", Remedy.PROVIDER),
    Outcome.TIMEOUT: ("It took too long", Remedy.RETRY),
    Outcome.UNAVAILABLE: ("It is down or cannot be reached", Remedy.RETRY),
    Outcome.AUTH_REJECTED: ("It refused the key", Remedy.PROVIDER),
    Outcome.FORBIDDEN: ("It does not let the key use this model", Remedy.PROVIDER),
    Outcome.MODEL_GONE: ("It no longer has this model", Remedy.OTHER),
    Outcome.INVALID_REQUEST: ("It did not accept this request", Remedy.PARAMETERS),
    Outcome.CONTEXT_TOO_LONG: ("The prompt is too long for it", Remedy.SHORTEN),
    Outcome.CONTENT_BLOCKED: ("Its content filter refused", Remedy.REWORD),
    Outcome.MALFORMED: ("What it sent was no answer", Remedy.RETRY),
    Outcome.CUT: ("Its answer broke off; what came until then is kept", Remedy.RETRY),
}
_UNKNOWN = ("It did not answer", Remedy.RETRY)
# What time cures where it is known how much of it.
_CURED_BY_TIME = {
    Outcome.RATE_LIMITED, Outcome.THROTTLED, Outcome.QUOTA_EXHAUSTED, Outcome.CIRCUIT_OPEN,
    Outcome.UNAVAILABLE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """`until` is when the target may be asked again, where that is known and yet to come."""

    label: str
    provider: str  # its slug
    what: str
    remedy: Remedy
    until: datetime | None
    said: str


def failures(trail: Sequence[dict[str, Any]], began: datetime, now: datetime) -> list[Failure]:
    """The last word of each target that was tried and did not answer, in the order asked."""
    last = {one["label"]: one for one in trail}
    return [
        _failure(one, began, now)
        for one in last.values()
        if one["outcome"] not in {Outcome.ANSWERED, Outcome.CANCELLED}
    ]


def _failure(attempt: dict[str, Any], began: datetime, now: datetime) -> Failure:
    outcome = Outcome(attempt["outcome"])
    what, remedy = _WHAT.get(outcome, _UNKNOWN)
    until = None
    if attempt["retry_after_s"] is not None and outcome in _CURED_BY_TIME:
        wait_s = attempt["started_s"] + attempt["duration_s"] + attempt["retry_after_s"]
        until = began + timedelta(seconds=wait_s)
        remedy = Remedy.WAIT if until > now else Remedy.RETRY
    return Failure(
        label=attempt["label"],
        provider=attempt["provider"],
        what=what,
        remedy=remedy,
        until=until if remedy is Remedy.WAIT else None,
        said=attempt["detail"],
    )

"""From the engine's event to the row that is kept of it."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from gateway.events import CallEvent
from gateway.types import Attempt, Outcome
from monitoring.bulk import field_names
from monitoring.models import CallRecord, Course

_MAX_COUNT = 32_767  # what a small integer column holds


def course_of(event: CallEvent) -> Course:
    """How the call went, seen from the caller. A retry that helped is still the first target."""
    if event.outcome is Outcome.CANCELLED:
        return Course.CANCELLED
    if event.outcome is not Outcome.ANSWERED:
        return Course.FAILED
    if event.cached:
        return Course.CACHE
    return Course.FALLBACK if _was_elsewhere_first(event) else Course.FIRST


def throttled_count(event: CallEvent) -> int:
    """How often a provider refused this call with a 429."""
    return sum(is_refused_outside(attempt) for attempt in event.attempts)


def is_refused_outside(attempt: Attempt) -> bool:
    return attempt.status == 429 or attempt.outcome is Outcome.THROTTLED  # noqa: PLR2004 - the HTTP status itself


def record_of(event: CallEvent) -> CallRecord:
    """The unsaved row; raises ValueError where a time is no number.

    Texts are cut to their column, NUL bytes dropped (PostgreSQL has none).
    """
    return CallRecord(
        call_id=_text(event.call_id, 64),
        at=datetime.fromtimestamp(event.at, UTC),
        at_s=int(event.at),
        source=_text(event.source, 40),
        owner=_text(event.owner, 150),
        outcome=event.outcome.value,
        course=course_of(event),
        provider=_text(event.provider, 80),
        model=_text(event.model, 200),
        key_id=_text(event.key_id, 80),
        cached=_text(event.cached, 20),
        is_streamed=event.is_streamed,
        duration_s=_finite(event.duration_s),
        first_token_s=None if event.first_token_s is None else _finite(event.first_token_s),
        prompt_tokens=max(event.prompt_tokens, 0),
        completion_tokens=max(event.completion_tokens, 0),
        is_usage_estimated=event.is_usage_estimated,
        attempts=[_attempt_fields(attempt) for attempt in event.attempts],
        attempt_count=min(len(event.attempts), _MAX_COUNT),
        throttled_count=min(throttled_count(event), _MAX_COUNT),
        detail=_text(event.detail, 2_000),
    )


COLUMNS = field_names(CallRecord)
_AT, _ATTEMPTS = COLUMNS.index("at"), COLUMNS.index("attempts")


def row_of(record: CallRecord) -> list[object]:
    """The values of COLUMNS as the database takes them."""
    row = [getattr(record, name) for name in COLUMNS]
    row[_AT] = connection.ops.adapt_datetimefield_value(record.at)
    row[_ATTEMPTS] = json.dumps(record.attempts, separators=(",", ":"))
    return row


def _was_elsewhere_first(event: CallEvent) -> bool:
    if not event.attempts:
        return False
    first = event.attempts[0]
    return (first.provider, first.model) != (event.provider, event.model)


def _attempt_fields(attempt: Attempt) -> dict[str, Any]:
    values = {name: getattr(attempt, name) for name in _ATTEMPT_FIELDS}
    return {
        name: _text(value, 2_000) if isinstance(value, str) else value
        for name, value in values.items()
    }


_ATTEMPT_FIELDS = tuple(one.name for one in fields(Attempt))


def _text(value: str, longest: int) -> str:
    return value.replace("\x00", "")[:longest]


def _finite(seconds: float) -> float:
    """SQLite would ignore the row of a NaN without a word."""
    if not math.isfinite(seconds):
        raise ValueError("A time that is no number")
    return float(seconds)

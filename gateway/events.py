"""What the engine tells the outside: one `CallEvent` per call, through an `EventSink`."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Protocol

from gateway import keys
from gateway.store import Command, Store, StoreAwayError
from gateway.types import Attempt, Outcome

logger = logging.getLogger(__name__)

_BUFFERED_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One finished call. Times in seconds, `at` in Unix time. Prompts and keys never appear."""

    call_id: str
    at: float  # when the call began
    source: str
    owner: str
    outcome: Outcome
    provider: str  # who answered, else the last one tried; "" when none was
    model: str
    key_id: str
    cached: str  # the cache tier that answered, or ""
    is_streamed: bool
    duration_s: float
    first_token_s: float | None
    prompt_tokens: int
    completion_tokens: int
    is_usage_estimated: bool
    attempts: tuple[Attempt, ...]
    detail: str = ""

    def to_json(self) -> str:
        attempts = [_plain(one, _ATTEMPT_FIELDS) for one in self.attempts]
        plain = {**_plain(self, _EVENT_FIELDS), "attempts": attempts}
        return json.dumps(plain, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> CallEvent:
        """Read what `to_json` wrote; raises ValueError, TypeError or KeyError on anything else."""
        said: dict[str, Any] = json.loads(text)
        attempts = tuple(Attempt.from_plain(one) for one in said.pop("attempts"))
        return cls(**{**said, "outcome": Outcome(said["outcome"]), "attempts": attempts})


_EVENT_FIELDS = tuple(one.name for one in fields(CallEvent))
_ATTEMPT_FIELDS = tuple(one.name for one in fields(Attempt))


def _plain(value: CallEvent | Attempt, names: Sequence[str]) -> dict[str, Any]:
    """As `asdict`, which copies every value and takes ten times as long."""
    return {name: getattr(value, name) for name in names}


class EventSink(Protocol):
    """Hears of every call once it is over. Must return at once and never raise."""

    def emit(self, event: CallEvent) -> None: ...


class NullEventSink:
    """Hears everything and tells nobody."""

    def emit(self, event: CallEvent) -> None: ...


class RedisEventSink:
    """Appends to the event stream; while Redis is away the newest events wait in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[str] = deque(maxlen=_BUFFERED_EVENTS)
        self._lost = 0
        store.when_back(self.flush)

    def emit(self, event: CallEvent) -> None:
        if len(self._waiting) == _BUFFERED_EVENTS:
            self._lost += 1
        self._waiting.append(event.to_json())
        if not self._store.is_degraded:
            self._append()

    async def flush(self) -> None:
        self._append()

    def _append(self) -> None:
        """What waits. An append whose answer is lost is repeated: at least once."""
        batch = tuple(self._waiting)
        self._waiting.clear()
        if batch:
            appended = self._store.ask(*map(_append, batch))
            appended.add_done_callback(partial(self._heard, batch))

    def _heard(self, batch: Sequence[str], appended: asyncio.Future[list[Any]]) -> None:
        if isinstance(appended.exception(), StoreAwayError):
            room = _BUFFERED_EVENTS - len(self._waiting)  # others may have come meanwhile
            self._lost += max(0, len(batch) - room)
            self._waiting.extendleft(reversed(batch[-room:] if room else ()))
        elif self._lost:
            logger.warning("%d call events were lost while Redis was away.", self._lost)
            self._lost = 0


def _append(event: str) -> Command:
    length = ("MAXLEN", "~", keys.EVENT_STREAM_LENGTH)
    return ("XADD", keys.EVENT_STREAM, *length, "*", "event", event)

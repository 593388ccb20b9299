"""Refusals from outside in the last minutes: a mark on a chart each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

from gateway.events import CallEvent
from monitoring.records import is_refused_outside

KEPT = 2_000  # of a storm the newest


@dataclass(frozen=True, slots=True)
class RefusedOutside:
    """A 429 of one attempt, when it came."""

    at_s: float
    provider: str
    model: str
    key_id: str
    call_id: str
    detail: str


class Refusals:
    """The newest. Added to in one thread and read in another."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: deque[RefusedOutside] = deque(maxlen=KEPT)

    def add(self, event: CallEvent) -> None:
        found = [
            RefusedOutside(
                event.at + one.started_s + one.duration_s,
                one.provider,
                one.model,
                one.key_id,
                event.call_id,
                one.detail,
            )
            for one in event.attempts
            if is_refused_outside(one)
        ]
        with self._lock:
            self._kept.extend(found)

    def since(self, at_s: float) -> list[RefusedOutside]:
        with self._lock:
            return [one for one in self._kept if one.at_s >= at_s]

"""Calls of this process that are not over: where each of them is, and how one is taken out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from gateway.call import Call, Try
from gateway.dispatch.lane import Waiting
from gateway.errors import CalledOff
from gateway.types import Priority

T = TypeVar("T")


class Stage(StrEnum):
    """Where a call is."""

    BEGINNING = "beginning"  # in the cache, or behind an equal call
    PLACE = "place"  # in line for a place at a provider
    QUOTA = "quota"  # in line for its quota
    SENT = "sent"  # a provider works on it
    BETWEEN = "between"  # an attempt has failed, the next one is to come


@dataclass(frozen=True, slots=True)
class CallView:
    """`expected_s` is until it is sent, where somebody can know."""

    call_id: str
    source: str
    owner: str
    priority: Priority
    stage: Stage
    age_s: float
    provider: str = ""
    model: str = ""
    label: str = ""
    tries: int = 0
    expected_s: float | None = None


class _Entry:
    """A call and the task that waits for its next item; no task while its caller is busy."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.task: asyncio.Task[object] | None = None
        self.cancelling = 0

    def begins_waiting(self) -> None:
        if self.call.called_off:
            raise CalledOff(self.call.called_off)
        self.task = asyncio.current_task()
        self.cancelling = self.task.cancelling() if self.task else 0

    def was_cancelled(self, error: asyncio.CancelledError) -> None:
        """Raise CalledOff where it was we who cancelled, and nobody else did as well."""
        task = self.task
        if self.call.called_off and task is not None and task.uncancel() <= self.cancelling:
            raise CalledOff(self.call.called_off) from error

    def call_off(self, why: str) -> None:
        if self.call.called_off:
            return
        self.call.called_off = why
        if self.task is not None:
            self.task.cancel()


class Underway:
    """Of one event loop."""

    def __init__(self) -> None:
        self._entries: dict[Call, _Entry] = {}

    async def watched(self, call: Call, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """The call's items; raises CalledOff once taken out, when what it held is given back."""
        entry = self._entries[call] = _Entry(call)
        try:
            async with aclosing(items):
                while True:
                    entry.begins_waiting()
                    try:
                        item = await anext(items)
                    except StopAsyncIteration:
                        return
                    except asyncio.CancelledError as error:
                        entry.was_cancelled(error)
                        raise
                    finally:
                        entry.task = None
                    yield item
        finally:
            del self._entries[call]

    def call_off(self, call_id: str, why: str) -> bool:
        """Take it out, wherever it is; False where it is not one of ours."""
        found = [one for one in self._entries.values() if one.call.request.call_id == call_id]
        for one in found:
            one.call_off(why)
        return bool(found)

    def __len__(self) -> int:
        return len(self._entries)

    def views(self, waiting: Mapping[str, Waiting]) -> Iterator[CallView]:
        """Oldest first. `waiting` are those in line for a place, by call id."""
        for call in list(self._entries):
            yield _view(call, waiting.get(call.request.call_id))


def _view(call: Call, waiting: Waiting | None) -> CallView:
    request, attempt = call.request, call.current
    stage, expected_s = _stage(call, attempt, waiting)
    return CallView(
        call_id=request.call_id,
        source=request.source,
        owner=request.owner,
        priority=request.priority,
        stage=stage,
        age_s=call.elapsed_s,
        provider=attempt.target.provider if attempt else "",
        model=attempt.target.model if attempt else "",
        label=attempt.target.label if attempt else "",
        tries=call.tries,
        expected_s=expected_s,
    )


def _stage(call: Call, attempt: Try | None, waiting: Waiting | None) -> tuple[Stage, float | None]:
    if attempt is None:
        return Stage.BEGINNING, None
    if attempt.is_over:
        return Stage.BETWEEN, None
    if attempt.is_sent:
        return Stage.SENT, None
    if waiting is not None:
        return Stage.PLACE, waiting.expected_s
    left_s = None if attempt.turn_at_s is None else max(0.0, attempt.turn_at_s - call.elapsed_s)
    return Stage.QUOTA, left_s

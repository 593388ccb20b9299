"""What every process has in its queues, told to all; and what somebody wants of all of them.

Each process looks twice a second, in one trip: which providers are paused or drained, which calls
are to be taken out. With it goes what it has running and waiting, twice a second while there is
anything, else now and then.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gateway import keys
from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.underway import CallView, Underway
from gateway.store import Command, Store, StoreAwayError

_LOOK_EVERY_S = 0.5
_TELL_IDLE_EVERY_S = 2.0
BELIEVED_FOR_S = 5.0  # of whom nothing was heard for so long, that process is gone
_TOLD_CALLS = 200  # per process; of the rest their number
_CALLED_OFF_FOR_S = 30.0
ALL = "*"


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody's wish about a provider, or about all. Times are Redis' Unix time."""

    how: Literal["pause", "drain"]
    until_s: float
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class LaneTold:
    """Of one provider in one process."""

    provider: str
    running: int
    limit: int
    waiting: int
    refused: int


@dataclass(frozen=True, slots=True)
class ProcessTold:
    process: str
    told_s: float
    lanes: tuple[LaneTold, ...] = ()
    calls: tuple[CallView, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Queues:
    processes: tuple[ProcessTold, ...] = ()
    holds: dict[str, Held] = field(default_factory=dict)
    now_s: float = 0.0


class Sharing:
    """One per engine. What asks or tells Redis raises StoreAwayError while it is away."""

    def __init__(
        self, store: Store, dispatcher: Dispatcher, underway: Underway, process: str = ""
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._underway = underway
        self.process = process or f"task {socket.gethostname()}:{os.getpid()}"
        self._field = f"{self.process} {uuid.uuid4().hex[:6]}"  # a worker's tasks have one each
        self._offset_s = 0.0  # Redis' clock against ours
        self._told_at = float("-inf")

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Tell and obey while the block runs."""
        await self._look()
        task = asyncio.create_task(self._look_for_ever(), name="queues")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._store.ask(("HDEL", keys.QUEUES, self._field))

    async def all(self) -> Queues:
        """Of every process that is alive."""
        told, held, now = await self._store.ask(
            ("HGETALL", keys.QUEUES), ("HGETALL", keys.QUEUE_HOLDS), ("TIME",)
        )
        now_s = _unix(now)
        processes = [_process(text) for text in told[1::2]]
        alive = [one for one in processes if one and now_s - one.told_s < BELIEVED_FOR_S]
        return Queues(tuple(sorted(alive, key=_by_name)), _held(held, now_s), now_s)

    async def hold(
        self, provider: str, how: Literal["pause", "drain"], *, for_s: float, by: str, reason: str
    ) -> None:
        """Pause or drain a provider (ALL: every one) in every process within a second."""
        (now,) = await self._store.ask(("TIME",))
        held = Held(how, _unix(now) + for_s, by, reason)
        await self._store.ask(
            ("HSET", keys.QUEUE_HOLDS, provider, json.dumps(asdict(held))),
            ("EXPIRE", keys.QUEUE_HOLDS, keys.QUEUE_HOLDS_TTL_S),
        )
        await self._look()

    async def release(self, provider: str) -> bool:
        """Whether it was held."""
        (count,) = await self._store.ask(("HDEL", keys.QUEUE_HOLDS, provider))
        await self._look()
        return bool(count)

    async def call_off(self, call_id: str, why: str) -> None:
        """Take a call out, in whichever process it is, within a second."""
        self._underway.call_off(call_id, why)
        (now,) = await self._store.ask(("TIME",))
        now_s = _unix(now)
        await self._store.ask(
            ("ZREMRANGEBYSCORE", keys.CALLED_OFF, "-inf", now_s - _CALLED_OFF_FOR_S),
            ("ZADD", keys.CALLED_OFF, now_s, f"{call_id} {why}"),
            ("EXPIRE", keys.CALLED_OFF, keys.CALLED_OFF_TTL_S),
        )

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self._look()

    async def _look(self) -> None:
        """What holds while Redis is away is what held before, until its time is over."""
        with suppress(StoreAwayError):
            since_s = self._now_s() - _CALLED_OFF_FOR_S
            now, held, off, *_ = await self._store.ask(
                ("TIME",),
                ("HGETALL", keys.QUEUE_HOLDS),
                ("ZRANGEBYSCORE", keys.CALLED_OFF, since_s, "+inf"),
                *self._telling(),
            )
            self._offset_s = _unix(now) - time.time()
            self._dispatcher.hold({name: one.how for name, one in _held(held, _unix(now)).items()})
            for one in off:
                call_id, _, why = one.decode().partition(" ")
                self._underway.call_off(call_id, why)

    def _telling(self) -> Sequence[Command]:
        is_idle = not len(self._underway)
        if is_idle and time.monotonic() - self._told_at < _TELL_IDLE_EVERY_S:
            return ()
        self._told_at = time.monotonic()
        return (
            ("HSET", keys.QUEUES, self._field, json.dumps(asdict(self._told()))),
            ("EXPIRE", keys.QUEUES, keys.QUEUES_TTL_S),
        )

    def _told(self) -> ProcessTold:
        lanes = self._dispatcher.lanes()
        waiting = {one.call_id: one for lane in lanes.values() for one in lane.waiting}
        calls = list(self._underway.views(waiting))
        return ProcessTold(
            self.process,
            self._now_s(),
            tuple(
                LaneTold(name, one.running, one.concurrency, len(one.waiting), one.refused)
                for name, one in lanes.items()
            ),
            tuple(calls[:_TOLD_CALLS]),
            max(0, len(calls) - _TOLD_CALLS),
        )

    def _now_s(self) -> float:
        return time.time() + self._offset_s


def _held(flat: Sequence[bytes], now_s: float) -> dict[str, Held]:
    found = {}
    for name, text in zip(flat[::2], flat[1::2], strict=True):
        with suppress(ValueError, TypeError):
            held = Held(**json.loads(text))
            if held.until_s > now_s:
                found[name.decode()] = held
    return found


def _process(text: bytes) -> ProcessTold | None:
    """None where another version of the program tells it in other words."""
    try:
        said: Any = json.loads(text)
        lanes = tuple(LaneTold(**one) for one in said.pop("lanes"))
        calls = tuple(CallView(**one) for one in said.pop("calls"))
        return ProcessTold(**said, lanes=lanes, calls=calls)
    except (ValueError, TypeError, KeyError):
        return None


def _by_name(one: ProcessTold) -> str:
    return one.process


def _unix(now: Sequence[bytes]) -> float:
    return int(now[0]) + int(now[1]) / 1_000_000

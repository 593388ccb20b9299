"""Sending an answer at its pace, spoiled where a fault says so."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import cast

from gateway.simulator.asking import Answer, Ask
from gateway.simulator.exchange import Exchange
from gateway.simulator.faulty import problem_of
from gateway.simulator.pacing import Pace
from gateway.simulator.runtime import RunningProvider
from gateway.simulator.scenario import Fault, FaultKind
from gateway.simulator.styles.base import Headers
from gateway.simulator.wires import WIRES, StreamingWire, Wire

_COMMENT_EVERY_S = 1.0
_SPOILING = {
    FaultKind.CUT,
    FaultKind.TRUNCATE,
    FaultKind.STALL,
    FaultKind.HALF_JSON,
    FaultKind.MID_ERROR,
}


@dataclass(frozen=True, slots=True)
class Delivery:
    exchange: Exchange
    running: RunningProvider
    answer: Answer
    pace: Pace
    fault: Fault | None
    headers: Headers

    @property
    def wire(self) -> Wire:
        return WIRES[self.running.spec.dialect]

    @property
    def streaming(self) -> StreamingWire:
        """For `_stream` and what it calls, where the wire is one."""
        return cast("StreamingWire", self.wire)

    async def send(self, ask: Ask) -> None:
        if ask.is_stream and isinstance(self.wire, StreamingWire):
            await self._stream(wants_usage=ask.wants_usage)
        else:
            await self._whole()

    async def _whole(self) -> None:
        body = json.dumps(self.wire.whole(self.answer)).encode()
        started_s = _now_s()
        await _sleep_until(started_s + self.pace.due_s(self.answer.completion_tokens))
        fault = self._spoiler()
        if fault is None or fault.kind is FaultKind.MID_ERROR:
            await self.exchange.reply(200, body, self.headers)
            return
        part = body[: int(len(body) * fault.at)]
        if fault.kind in (FaultKind.HALF_JSON, FaultKind.TRUNCATE):
            await self.exchange.reply(200, part, self.headers)
            return
        framing = [("content-type", "application/json"), ("content-length", str(len(body)))]
        await self.exchange.start(200, [*framing, *self.headers])
        await self.exchange.write(part)
        if fault.kind is FaultKind.CUT:
            await self.exchange.abort(is_reset=False)
        await asyncio.sleep(fault.hold_s)
        await self.exchange.end(body[len(part) :])

    async def _stream(self, *, wants_usage: bool) -> None:
        started_s = _now_s()
        first_s = started_s + self.pace.due_s(self.answer.reasoning_tokens)
        if self.running.spec.comments:
            await self._open()
            await self._comment_until(first_s)
        else:
            await _sleep_until(first_s)
            await self._open()
        await self._write(*self.streaming.opening(self.answer))
        pieces, fault = self._pieces(), self._spoiler()
        spoil_at = int(len(pieces) * fault.at) if fault else len(pieces)
        await self._send_pieces(pieces[:spoil_at], started_s)
        if fault and not await self._spoil(fault):
            return
        await self._send_pieces(pieces[spoil_at:], started_s)
        ending = self.streaming.closing(self.answer, wants_usage=wants_usage)
        await self.exchange.end(b"".join(self._lined(one) for one in ending))

    async def _send_pieces(self, pieces: list[tuple[str, int]], started_s: float) -> None:
        """Send each piece when it is due; pieces due at the same moment go out together."""
        ready: list[bytes] = []
        for text, last_token in pieces:
            due_s = started_s + self.pace.due_s(last_token)
            if ready and due_s > _now_s():
                await self._write(*ready)
                ready.clear()
            await _sleep_until(due_s)
            ready.append(self.streaming.piece(self.answer, text))
        if ready:
            await self._write(*ready)

    def _spoiler(self) -> Fault | None:
        return self.fault if self.fault and self.fault.kind in _SPOILING else None

    async def _spoil(self, fault: Fault) -> bool:
        """Spoil the stream here; true when it goes on all the same."""
        match fault.kind:
            case FaultKind.STALL:
                await asyncio.sleep(fault.hold_s)
                return True
            case FaultKind.CUT:
                await self.exchange.abort(is_reset=False)
            case FaultKind.HALF_JSON:
                event = self.streaming.piece(self.answer, "a piece that breaks off")
                await self.exchange.end(event[: len(event) // 2])
            case FaultKind.MID_ERROR:
                body = self.running.style.error_body(problem_of(fault))
                await self.exchange.end(self._lined(self.streaming.failing(self.answer, body)))
            case _:
                await self.exchange.end()
        return False

    def _pieces(self) -> list[tuple[str, int]]:
        """The text of each chunk, and the number of its last token."""
        tokens, size = self.answer.tokens, self.running.spec.tokens_per_chunk
        before = self.answer.reasoning_tokens
        return [
            ("".join(tokens[at : at + size]), before + min(at + size, len(tokens)) - 1)
            for at in range(0, len(tokens), size)
        ]

    async def _open(self) -> None:
        framing = [("content-type", self.streaming.content_type), ("cache-control", "no-cache")]
        await self.exchange.start(200, [*framing, *self.headers])

    async def _comment_until(self, due_s: float) -> None:
        await self._write(b": SIMULATOR PROCESSING\n\n")
        while due_s - _now_s() > _COMMENT_EVERY_S:
            await asyncio.sleep(_COMMENT_EVERY_S)
            await self._write(b": SIMULATOR PROCESSING\n\n")
        await _sleep_until(due_s)

    async def _write(self, *events: bytes) -> None:
        await self.exchange.write(b"".join(self._lined(one) for one in events))

    def _lined(self, event: bytes) -> bytes:
        return event.replace(b"\n", b"\r\n") if self.running.spec.crlf else event


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _sleep_until(due_s: float) -> None:
    """Sleep to a point in time, so that delays never add up; not at all when it is past."""
    rest_s = due_s - _now_s()
    if rest_s > 0:
        await asyncio.sleep(rest_s)

"""A provider on a real loopback socket that does exactly what a test scripts, byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from gateway.types import ChatRequest, Limit, LimitHeader, Message, Secret, Target


@dataclass(slots=True)
class Received:
    """A request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def reply(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole answer; the connection is closed after it."""
        fields = {"Content-Type": "application/json", **(headers or {})}
        fields |= {"Content-Length": str(len(body)), "Connection": "close"}
        await self.send(_head(status, fields) + body)

    async def start_stream(self, headers: Mapping[str, str] | None = None) -> None:
        fields = {"Content-Type": "text/event-stream", **(headers or {}), "Connection": "close"}
        await self.send(_head(200, fields))

    async def gone(self) -> None:
        """Wait until the client has closed its end."""
        with suppress(ConnectionError):
            await self._reader.read()

    def reset(self) -> None:
        self._writer.transport.abort()


Script = Callable[[Wire, Received], Awaitable[None]]


@dataclass(slots=True)
class Upstream:
    """Runs one script for each request; what came is kept in `received`."""

    script: Script
    port: int = 0
    received: list[Received] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    connections: int = 0

    def target(self, model: str = "m", **fields: Any) -> Target:
        return make_target(f"http://127.0.0.1:{self.port}/v1", model, **fields)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.running.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                request = await _read(reader)
                self.received.append(request)
                await self.script(Wire(reader, writer), request)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self.running.discard(task)


@asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[Upstream]:
    running = Upstream(script)
    server = await asyncio.start_server(running.handle, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for task in tuple(running.running):
            task.cancel()
        await asyncio.gather(*running.running, return_exceptions=True)


def ask(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),), **fields)


def make_target(
    base_url: str = "http://127.0.0.1:9/v1",
    model: str = "m",
    *,
    provider: str = "acme",
    key: str | None = "sk-made-up-for-tests",
    key_id: str = "1",
    limits: tuple[Limit, ...] = (),
    limit_headers: tuple[LimitHeader, ...] = (),
    **fields: Any,
) -> Target:
    fields.setdefault("pool", model)
    return Target(
        provider=provider,
        model=model,
        base_url=base_url,
        key=Secret(key) if key else None,
        key_id=key_id,
        limits=limits,
        limit_headers=limit_headers,
        **fields,
    )


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(head[0], headers, body)


def _head(status: int, fields: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode()


def chat(text: str = "Hello.", *, finish_reason: str = "stop", tokens: int = 7) -> bytes:
    """The body of a plain answer."""
    answer = {
        "choices": [
            {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": tokens},
    }
    return json.dumps(answer).encode()


def event(text: str = "", *, finish_reason: str | None = None) -> bytes:
    """One event of a streamed answer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


async def answers(wire: Wire, request: Received) -> None:
    """The well-behaved script: plain or streamed, as asked."""
    if not request.json.get("stream"):
        await wire.reply(200, chat())
        return
    await wire.start_stream()
    await wire.send(event("Hel") + event("lo.") + event(finish_reason="stop") + b"data: [DONE]\n\n")


def refuses(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Script:
    """A script that refuses everything."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(status, json.dumps(body or {}).encode(), headers)

    return script

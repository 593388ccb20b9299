"""One HTTP exchange over raw ASGI: read, answer, stream, break off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any, NoReturn
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ABORT_EXTENSION = "simulator.abort"


class ClientGone(Exception):
    """The client closed the connection before its answer was complete."""


class BodyTooLargeError(ValueError):
    """More than a provider would read."""


class Exchange:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_dropped = False
        self.method: str = scope["method"]
        self.path: str = scope["path"]

    def header(self, name: str) -> str:
        wanted = name.lower().encode()
        values: Sequence[tuple[bytes, bytes]] = self._scope["headers"]
        return next((value.decode("latin-1") for key, value in values if key == wanted), "")

    def query(self, name: str) -> str:
        query: bytes = self._scope["query_string"]
        return parse_qs(query.decode("latin-1")).get(name, [""])[0]

    @property
    def is_from_loopback(self) -> bool:
        """Unix sockets have no address and are local by nature."""
        client = self._scope.get("client")
        return client is None or client[0] in ("", "::1") or client[0].startswith("127.")

    async def read(self, most_bytes: int) -> bytes:
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > most_bytes:
                raise BodyTooLargeError
            if not message.get("more_body", False):
                return bytes(body)

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        message = {"type": "http.response.start", "status": status, "headers": encoded}
        await self._send(message)

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def reply(
        self,
        status: int,
        body: bytes,
        headers: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> None:
        framing = [("content-type", content_type), ("content-length", str(len(body)))]
        await self.start(status, [*framing, *headers])
        await self.end(body)

    async def abort(self, *, is_reset: bool) -> NoReturn:
        """Drop the connection at once, with a TCP reset or a plain close; never returns.

        The connection's end then ends us, through `while_connected`.
        """
        extensions: dict[str, Any] = self._scope.get("extensions") or {}
        drop = extensions.get(ABORT_EXTENSION, {}).get("drop")
        if drop is None:
            raise ConnectionAbortedError("only our own server can drop connections")
        self._is_dropped = True
        drop(is_reset=is_reset)
        await asyncio.get_running_loop().create_future()
        raise AssertionError("a future nobody holds never resolves")

    async def while_connected(
        self, work: Coroutine[Any, Any, None], stopping: asyncio.Event
    ) -> None:
        """Do `work`, but drop it at once when the client leaves (ClientGone) or we must stop."""
        task = asyncio.ensure_future(work)
        gone = asyncio.ensure_future(self._gone())
        stop = asyncio.ensure_future(self._stopped(stopping))
        try:
            await asyncio.wait({task, gone, stop}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task
            elif not self._is_dropped:
                raise ClientGone
        finally:
            for one in (task, gone, stop):
                one.cancel()
            await asyncio.gather(task, gone, stop, return_exceptions=True)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _stopped(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await self.abort(is_reset=False)

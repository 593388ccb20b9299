"""Reading event streams the way a browser does."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import NamedTuple


class Event(NamedTuple):
    name: str
    data: str


def parse(body: bytes) -> list[Event]:
    """The events of a stream; comments and `retry` are left out."""
    events = []
    for frame in body.decode().split("\n\n"):
        lines = frame.split("\n")
        names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        if names:
            events.append(Event(names[0], "\n".join(data)))
    return events


async def read(stream: AsyncIterable[bytes]) -> list[Event]:
    return parse(b"".join([part async for part in stream]))


async def until(stream: AsyncIterator[bytes], name: str) -> bytes:
    """Read up to and with the first event of this name."""
    body = b""
    while not any(event.name == name for event in parse(body)):
        body += await anext(stream)
    return body

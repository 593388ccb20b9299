"""What the JSON dialects share: bytes to checked values, events to pieces."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gateway.dialects.base import Piece
from gateway.dialects.sse import EventDecoder
from gateway.dialects.tool_calls import storable
from gateway.errors import ContentBlocked, MalformedReply
from gateway.types import Usage

_ABSURD = 10**9  # tokens no answer has

_THOUGHTS = ("reasoning_content", "reasoning", "thinking")

# The words of OpenAI's format, which the rest of the product knows.
BLOCKED = "content_filter"


def parse_object(text: bytes | str) -> dict[str, Any]:
    """A JSON object, or MalformedReply that says what came instead."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        start = text[:200] if isinstance(text, str) else text[:200].decode(errors="replace")
        is_page = start.lstrip().startswith("<")
        what = "a web page instead of JSON" if is_page else "something that is no JSON"
        raise MalformedReply(f"The provider answered with {what}.", status=200) from error
    if not isinstance(value, dict):
        raise MalformedReply("The provider answered with JSON of another kind.", status=200)
    return value


def child(value: Any, *names: str) -> dict[str, Any]:
    """The object at the end of the path; an empty one where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, dict) else {}


def first(value: Any, name: str) -> dict[str, Any] | None:
    """The first object of a list."""
    items = value.get(name) if isinstance(value, Mapping) else None
    one = items[0] if isinstance(items, list) and items else None
    return one if isinstance(one, dict) else None


def text_of(content: Any) -> str:
    """Text, or the text parts of a list of parts; thinking parts are left out."""
    if isinstance(content, str):
        return storable(content)
    if not isinstance(content, list):
        return ""
    parts = (
        part.get("text") for part in content if isinstance(part, dict) and not part.get("thought")
    )
    return storable("".join(part for part in parts if isinstance(part, str)))


def thoughts_of(message: Mapping[str, Any]) -> str:
    """What the model thought: under one of several names, or among the parts of the content."""
    for name in _THOUGHTS:
        if isinstance(message.get(name), str) and message[name]:
            return storable(message[name])
    content = message.get("content")
    if not isinstance(content, list):
        return ""
    parts = (one.get("thinking") for one in content if isinstance(one, dict))
    return "".join(text_of(part) for part in parts)


def word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def usage_of(prompt: Any, *completion: Any) -> Usage | None:
    """None unless the counts are counts; a missing part of the answer counts as none."""
    counts = [0 if one is None else one for one in completion]
    if not all(_is_count(one) for one in (prompt, *counts)):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=sum(counts))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ABSURD


class JsonStream:
    """Events of JSON up to `[DONE]`, which some hosts leave out."""

    def __init__(self, read_chunk: Callable[[dict[str, Any]], Piece]) -> None:
        self._read_chunk = read_chunk
        self._events = EventDecoder()
        self._has_content = False
        self.is_complete = False
        self.is_over = False

    def feed(self, data: bytes) -> Sequence[Piece]:
        return list(self._pieces(self._events.feed(data) if data else self._events.flush()))

    def _pieces(self, events: Iterator[str]) -> Iterator[Piece]:
        for event in events:
            if self.is_over or not event.strip():
                continue
            if event.strip() == "[DONE]":
                self.is_complete = self.is_over = True
                continue
            piece = self._read_chunk(parse_object(event))
            self._has_content = self._has_content or piece.has_content
            self.is_complete = self.is_complete or bool(piece.finish_reason)
            if not self._has_content:
                check_blocked(piece)
            yield piece


def check_blocked(piece: Piece) -> None:
    """An empty answer with the filter's word is a refusal; another provider may answer."""
    if piece.finish_reason == BLOCKED and not piece.has_content:
        raise ContentBlocked("The provider's filter held the answer back.", status=200)

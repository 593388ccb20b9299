"""Tool calls as they come in: whole or in pieces, numbered or not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.messages import ToolCall, ToolCallDelta


class Numbering:
    """Gives the pieces of one answer's tool calls numbers from 0.

    Hosts number them, leave the numbers out, or give every call the number 0; a new id begins a
    new call in any case.
    """

    def __init__(self) -> None:
        self._keys: list[tuple[int | None, str]] = []  # what each call came with

    def place(self, index: int | None, call_id: str) -> int:
        known = self._known(index, call_id)
        if known is not None:
            return known
        self._keys.append((index, call_id))
        return len(self._keys) - 1

    def _known(self, index: int | None, call_id: str) -> int | None:
        for at in reversed(range(len(self._keys))):
            its_index, its_id = self._keys[at]
            if call_id and its_id:
                if call_id == its_id:
                    return at
            elif index is None or index == its_index:
                return at
        return None


def read_calls(value: Any, numbering: Numbering) -> tuple[ToolCallDelta, ...]:
    """The tool calls of a message or a delta in OpenAI's form."""
    if not value:
        return ()
    items = [value] if isinstance(value, dict) else value
    if not isinstance(items, list):
        return ()
    return tuple(
        read_call(one, one.get("index"), numbering) for one in items if isinstance(one, dict)
    )


def read_call(item: dict[str, Any], index: Any, numbering: Numbering) -> ToolCallDelta:
    function = item.get("function")
    function = function if isinstance(function, dict) else {}
    call_id = _word(item.get("id"))
    place = numbering.place(index if isinstance(index, int) else None, call_id)
    return ToolCallDelta(
        index=place,
        id=call_id,
        name=_word(function.get("name")),
        arguments=json_text(function.get("arguments")),
    )


def json_text(arguments: Any) -> str:
    """Arguments as JSON text; some hosts give the object itself."""
    if isinstance(arguments, str):
        return storable(arguments)
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def joined(deltas: Iterable[ToolCallDelta]) -> tuple[ToolCall, ...]:
    """Whole calls from their pieces. A call that came without an id gets one."""
    parts: dict[int, list[ToolCallDelta]] = {}
    for one in deltas:
        parts.setdefault(one.index, []).append(one)
    return tuple(_whole(index, parts[index]) for index in sorted(parts))


def _whole(index: int, deltas: list[ToolCallDelta]) -> ToolCall:
    return ToolCall(
        id=next((one.id for one in deltas if one.id), f"call_{index}"),
        name=next((one.name for one in deltas if one.name), ""),
        arguments="".join(one.arguments for one in deltas) or "{}",
        signature=next((one.signature for one in deltas if one.signature), ""),
    )


def storable(text: str) -> str:
    """JSON may spell lone surrogates and NUL, which neither UTF-8 nor databases can hold."""
    if text.isprintable():
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _word(value: Any) -> str:
    return storable(value) if isinstance(value, str) else ""

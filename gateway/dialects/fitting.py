"""A request as one provider takes it: what it refuses is left out and named.

A sampling parameter may be left out: the answer is still one to the question. Pictures and tools
may not: a target that does not take them is passed by.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.dialects.abilities import Ability, needed
from gateway.errors import NotConfigured
from gateway.messages import JsonFormat, Message, TextPart
from gateway.quirks import DROPPABLE, REFUSABLE
from gateway.types import ChatRequest, Target

_SCHEMA = "json_schema"
_NOTHING: frozenset[str] = frozenset()


def fit(
    target: Target, request: ChatRequest, wordless: frozenset[str] = _NOTHING
) -> tuple[ChatRequest, tuple[str, ...]]:
    """The request for this target and the names of what was left out; raises NotConfigured.

    The format has no words for `wordless`; what the target's quirks name is added.
    """
    quirks = target.quirks
    _check(target, request, (wordless & REFUSABLE) | quirks.refuses)
    changes = _left_out(request, (wordless & DROPPABLE) | quirks.drops)
    dropped = tuple(sorted(changes))
    if _SCHEMA in changes:
        changes["response_format"] = changes.pop(_SCHEMA)
    if not quirks.system_role:
        changes["messages"] = without_system(request.messages)
    return (replace(request, **changes) if changes else request), dropped


def _check(target: Target, request: ChatRequest, refused: frozenset[str]) -> None:
    refused_here = needed(request) & refused
    if Ability.IMAGES in refused_here:
        raise NotConfigured(f"{target.label} takes no pictures.")
    if Ability.TOOLS in refused_here:
        raise NotConfigured(f"{target.label} takes no tools.")


def _left_out(request: ChatRequest, drops: frozenset[str]) -> dict[str, Any]:
    """What stands in the place of each parameter that is asked for and not taken."""
    changes: dict[str, Any] = {}
    for name in drops - {_SCHEMA}:
        if getattr(request, name) not in (None, ()):
            changes[name] = () if name == "stop" else None
    wanted = request.response_format
    if _SCHEMA in drops and wanted and wanted.schema is not None and "response_format" not in drops:
        changes[_SCHEMA] = JsonFormat()  # JSON of any form is the next best
    return changes


def without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The system's text at the head of the first user message."""
    system = "\n\n".join(one.text for one in messages if one.role == "system")
    others = [one for one in messages if one.role != "system"]
    if not system:
        return tuple(others)
    for at, one in enumerate(others):
        if one.role == "user":
            others[at] = _headed(system, one)
            return tuple(others)
    return (Message("user", system), *others)


def _headed(head: str, message: Message) -> Message:
    if message.parts:
        return replace(message, parts=(TextPart(head), *message.parts))
    return replace(message, content=f"{head}\n\n{message.content}")

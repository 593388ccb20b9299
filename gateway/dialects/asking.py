"""What OpenAI's format says of messages and tools; Cohere's says most of it in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.dialects.base import auth_headers, request_url
from gateway.messages import Message, TextPart, Tool
from gateway.transport import OutgoingRequest
from gateway.types import Target


def message_form(message: Message) -> dict[str, Any]:
    form: dict[str, Any] = {"role": message.role, "content": content_form(message)}
    if message.tool_calls:
        form["tool_calls"] = [
            {
                "id": one.id,
                "type": "function",
                "function": {"name": one.name, "arguments": one.arguments},
            }
            for one in message.tool_calls
        ]
        form["content"] = form["content"] or None
    if message.tool_call_id:
        form["tool_call_id"] = message.tool_call_id
    return form


def content_form(message: Message) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.text
    return [
        {"type": "text", "text": one.text}
        if isinstance(one, TextPart)
        else {"type": "image_url", "image_url": {"url": one.url}}
        for one in message.parts
    ]


def tool_forms(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    return [{"type": "function", "function": _function(one)} for one in tools]


def _function(tool: Tool) -> dict[str, Any]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": dict(tool.parameters) or NO_PARAMETERS}


# A function without parameters still needs a schema at some hosts.
NO_PARAMETERS = {"type": "object", "properties": {}}


def given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is left to the provider."""
    return {name: value for name, value in asked.items() if value is not None}


def post(
    target: Target,
    path: str,
    body: Mapping[str, Any],
    *,
    accept: str = "application/json",
    dropped: tuple[str, ...] = (),
) -> OutgoingRequest:
    """`body` as JSON to `path` below the target's address, with its key."""
    return OutgoingRequest(
        url=request_url(target, path),
        headers={
            **auth_headers(target),
            "Content-Type": "application/json",
            "Accept": accept,
        },
        body=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        dropped=dropped,
    )

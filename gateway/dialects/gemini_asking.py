"""A request in Google's form: contents with parts, and everything else under other names."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.dialects.asking import NO_PARAMETERS, given
from gateway.errors import InvalidRequest
from gateway.messages import (
    ImagePart,
    JsonFormat,
    Message,
    NamedTool,
    TextPart,
    Tool,
    ToolCall,
    ToolWish,
)
from gateway.types import ChatRequest

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}

# From Gemini 3 on, models want back the signature of each call they made. For a call that another
# provider's model made, this word is what Google's documentation gives to be let through:
# https://ai.google.dev/gemini-api/docs/thought-signatures (read 2026-11).
_VERSION = re.compile(r"gemini-(\d+)")
_SIGNS_FROM = 3
_NO_SIGNATURE = "skip_thought_signature_validator"


def request_body(request: ChatRequest, model: str) -> dict[str, Any]:
    version = _VERSION.search(model)
    no_signature = _NO_SIGNATURE if version and int(version[1]) >= _SIGNS_FROM else None
    system = [{"text": one.text} for one in request.messages if one.role == "system"]
    return given(
        {
            "contents": _contents(request.messages, no_signature),
            "systemInstruction": {"parts": system} if system else None,
            "generationConfig": _config(request) or None,
            "tools": _tools(request.tools),
            "toolConfig": _tool_config(request.tool_choice) if request.tools else None,
        }
    )


def _config(request: ChatRequest) -> dict[str, Any]:
    asked = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
        **_json_form(request.response_format),
    }
    return given(asked)


def _json_form(wanted: JsonFormat | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    schema = None if wanted.schema is None else dict(wanted.schema)
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _tools(tools: Sequence[Tool]) -> list[dict[str, Any]] | None:
    if not tools:
        return None
    declared = [
        {
            "name": one.name,
            "description": one.description,
            "parametersJsonSchema": dict(one.parameters) or NO_PARAMETERS,
        }
        for one in tools
    ]
    return [{"functionDeclarations": declared}]


def _tool_config(choice: ToolWish | NamedTool | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    if isinstance(choice, NamedTool):
        how: dict[str, Any] = {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    else:
        how = {"mode": _MODES[choice]}
    return {"functionCallingConfig": how}


def _contents(messages: Sequence[Message], no_signature: str | None) -> list[dict[str, Any]]:
    """Results of tools that follow one another belong in one turn, as the calls did."""
    contents: list[dict[str, Any]] = []
    names: dict[str, str] = {}  # of the tools, by the id of their call
    was_tool = False
    for one in messages:
        if one.role == "system":
            continue
        names |= {call.id: call.name for call in one.tool_calls}
        parts = _parts(one, names, no_signature)
        if was_tool and one.role == "tool":
            contents[-1]["parts"] += parts
        else:
            role = "model" if one.role == "assistant" else "user"
            contents.append({"role": role, "parts": parts})
        was_tool = one.role == "tool"
    return contents


def _parts(
    message: Message, names: Mapping[str, str], no_signature: str | None
) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [_tool_result(message, names)]
    calls = [_tool_call(one, no_signature) for one in message.tool_calls]
    if message.parts:
        return [*_said(message.parts), *calls]
    return [{"text": message.content}, *calls] if message.content or not calls else calls


def _said(parts: Iterable[TextPart | ImagePart]) -> list[dict[str, Any]]:
    return [{"text": one.text} if isinstance(one, TextPart) else _image(one) for one in parts]


def _image(image: ImagePart) -> dict[str, Any]:
    if not image.url.startswith("data:"):
        kind = mimetypes.guess_type(image.url.partition("?")[0])[0]
        return {"fileData": given({"mimeType": kind, "fileUri": image.url})}
    kind, _, data = image.url.removeprefix("data:").partition(";base64,")
    if not data:
        raise InvalidRequest("A picture in a data URL must be in base64.")
    return {"inlineData": {"mimeType": kind or "image/png", "data": data}}


def _tool_call(call: ToolCall, no_signature: str | None) -> dict[str, Any]:
    asked = {"name": call.name, "args": _object(call.arguments, "arguments")}
    return given({"functionCall": asked, "thoughtSignature": call.signature or no_signature})


def _tool_result(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    name = names.get(message.tool_call_id)
    if name is None:
        raise InvalidRequest(f"No tool call before it has the id “{message.tool_call_id}”.")
    return {"functionResponse": {"name": name, "response": _object(message.text, "result")}}


def _object(text: str, name: str) -> dict[str, Any]:
    """JSON that must be an object here; what is none becomes one."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return value if isinstance(value, dict) else {name: value}

"""The Gemini dialect: POST <base>/models/ID:generateContent, or :streamGenerateContent."""

from __future__ import annotations

import json
from typing import Any

from gateway.simulator.asking import Answer, Ask, BadAskError
from gateway.simulator.tooling import ANY_JSON, Form, chosen
from gateway.simulator.wires.fields import (
    optional_int,
    optional_number,
    read_object,
    section,
    stop_texts,
)

_ACTIONS = (":generateContent", ":streamGenerateContent")
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
_ROLES = {"user": "user", "model": "assistant", "function": "tool"}


class GeminiWire:
    content_type = "text/event-stream"

    def hint(self, path: str) -> str | None:
        return path.removeprefix("models/") if path.endswith(_ACTIONS) else None

    def read(self, body: bytes, hint: str) -> Ask:
        values = read_object(body)
        model, _, action = hint.rpartition(":")
        config = section(values, "generationConfig")
        optional_number(config, "topP", least=0, most=1)
        messages, has_images = _read_contents(values)
        tool = chosen(_tools(values), _choice(values), messages[-1][0])
        return Ask(
            model=model,
            messages=messages,
            is_stream=action.startswith("stream"),
            max_tokens=optional_int(config, "maxOutputTokens", least=1),
            stop=stop_texts(config, "stopSequences", 5),
            temperature=optional_number(config, "temperature", least=0, most=2),
            seed=optional_int(config, "seed", least=-(2**31)),
            has_images=has_images,
            tool=tool,
            json_form=None if tool else _json_form(config),
        )

    def whole(self, answer: Answer) -> dict[str, Any]:
        return _body(answer, answer.text, is_last=True)

    def opening(self, answer: Answer) -> list[bytes]:
        return []

    def piece(self, answer: Answer, text: str) -> bytes:
        if answer.tool:
            return b""  # a call comes whole, at the end
        return _event(_body(answer, text, is_last=False))

    def closing(self, answer: Answer, *, wants_usage: bool) -> list[bytes]:
        return [_event(_body(answer, "", is_last=True))]

    def failing(self, answer: Answer, error_body: dict[str, Any]) -> bytes:
        return _event(error_body)


def _tools(values: dict[str, Any]) -> list[Form]:
    """Declared under `tools`, in groups."""
    groups = values.get("tools") or []
    found = []
    for group in groups if isinstance(groups, list) else ():
        declared = group.get("functionDeclarations") if isinstance(group, dict) else None
        for one in declared if isinstance(declared, list) else ():
            if not isinstance(one, dict) or not isinstance(one.get("name"), str):
                raise BadAskError("Invalid value at 'tools'", "tools")
            found.append(Form.of(one["name"], one.get("parametersJsonSchema")))
    return found


def _choice(values: dict[str, Any]) -> str:
    wish = section(section(values, "toolConfig"), "functionCallingConfig")
    names = wish.get("allowedFunctionNames")
    if isinstance(names, list) and names:
        return str(names[0])
    return "none" if wish.get("mode") == "NONE" else "auto"


def _json_form(config: dict[str, Any]) -> Form | None:
    if config.get("responseMimeType") != "application/json":
        return None
    schema = config.get("responseJsonSchema")
    return ANY_JSON if schema is None else Form.of("answer", schema)


def _read_contents(values: dict[str, Any]) -> tuple[tuple[tuple[str, str], ...], bool]:
    contents = values.get("contents")
    if not isinstance(contents, list) or not contents:
        raise BadAskError("contents is not specified", "contents")
    messages, has_images = [], False
    if "systemInstruction" in values:
        text, _ = _read_parts(values["systemInstruction"], "system_instruction")
        messages.append(("system", text))
    for at, one in enumerate(contents):
        role = one.get("role", "user") if isinstance(one, dict) else None
        if not isinstance(role, str) or role not in _ROLES:
            raise BadAskError("Please use a valid role: user, model.", f"contents[{at}]")
        text, with_image = _read_parts(one, f"contents[{at}]")
        is_result = any("functionResponse" in part for part in one["parts"])
        messages.append(("tool" if is_result else _ROLES[role], text))
        has_images = has_images or with_image
    return tuple(messages), has_images


def _read_parts(content: object, where: str) -> tuple[str, bool]:
    parts = content.get("parts") if isinstance(content, dict) else None
    if not isinstance(parts, list) or not all(isinstance(one, dict) for one in parts):
        raise BadAskError(f"Invalid value at '{where}.parts'", where)
    texts = [one["text"] for one in parts if "text" in one]
    if not all(isinstance(one, str) for one in texts):
        raise BadAskError(f"Invalid value at '{where}.parts.text'", where)
    return "\n".join(texts), any("inlineData" in one or "inline_data" in one for one in parts)


def _body(answer: Answer, text: str, *, is_last: bool) -> dict[str, Any]:
    part: dict[str, Any] = {"text": text}
    if answer.tool:
        call = {"name": answer.tool, "args": json.loads(answer.arguments)}
        part = {"functionCall": call, "thoughtSignature": answer.call_id}
    candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}}
    usage = {"promptTokenCount": answer.prompt_tokens}
    if is_last:
        candidate["finishReason"] = _FINISH[answer.finish_reason]
        usage["candidatesTokenCount"] = len(answer.tokens)
    if answer.reasoning_tokens:
        usage["thoughtsTokenCount"] = answer.reasoning_tokens
    usage["totalTokenCount"] = sum(usage.values())
    return {
        "candidates": [{**candidate, "index": 0}],
        "usageMetadata": usage,
        "modelVersion": answer.model.id,
        "responseId": answer.id,
    }


def _event(values: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(values)}\n\n".encode()

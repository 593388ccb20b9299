"""The Cohere v2 dialect: POST <base>/chat, streaming as named events."""

from __future__ import annotations

import json
from typing import Any

from gateway.simulator.asking import Answer, Ask, BadAskError
from gateway.simulator.tooling import ANY_JSON, Form, chosen
from gateway.simulator.wires.fields import (
    flag,
    message_content,
    optional_int,
    optional_number,
    read_object,
    section,
    stop_texts,
    tool_forms,
)

_ROLES = ("system", "user", "assistant", "tool")
_FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}
_PLAN = "I will call a tool, as simulated models do."


class CohereWire:
    content_type = "text/event-stream"

    def hint(self, path: str) -> str | None:
        return "" if path == "chat" else None

    def read(self, body: bytes, hint: str) -> Ask:
        values = read_object(body)
        model = values.get("model")
        if not isinstance(model, str) or not model:
            raise BadAskError("invalid request: model is required", "model")
        optional_number(values, "p", least=0, most=1)
        messages = _read_messages(values.get("messages"))
        choice = "none" if values.get("tool_choice") == "NONE" else "auto"
        tool = chosen(tool_forms(values), choice, messages[-1][0])
        return Ask(
            model=model,
            messages=messages,
            is_stream=flag(values, "stream"),
            max_tokens=optional_int(values, "max_tokens", least=1),
            stop=stop_texts(values, "stop_sequences", 5),
            temperature=optional_number(values, "temperature", least=0, most=1),
            seed=optional_int(values, "seed", least=0),
            tool=tool,
            json_form=None if tool else _json_form(section(values, "response_format")),
        )

    def whole(self, answer: Answer) -> dict[str, Any]:
        said: dict[str, Any] = {"content": [{"type": "text", "text": answer.text}]}
        if answer.tool:
            said = {"tool_plan": _PLAN, "tool_calls": [_call(answer, answer.arguments)]}
        return {
            "id": _id(answer),
            "finish_reason": _FINISH[answer.finish_reason],
            "message": {"role": "assistant", **said},
            "usage": _usage(answer),
        }

    def opening(self, answer: Answer) -> list[bytes]:
        message = {
            "role": "assistant",
            "content": [],
            "tool_plan": "",
            "tool_calls": [],
            "citations": [],
        }
        content = {"message": {"content": {"type": "text", "text": ""}}}
        if answer.tool:
            return [
                _event("message-start", id=_id(answer), delta={"message": message}),
                _event("tool-plan-delta", delta={"message": {"tool_plan": _PLAN}}),
                _tool_event("tool-call-start", _call(answer, "")),
            ]
        return [
            _event("message-start", id=_id(answer), delta={"message": message}),
            _event("content-start", index=0, delta=content),
        ]

    def piece(self, answer: Answer, text: str) -> bytes:
        if answer.tool:
            return _tool_event("tool-call-delta", {"function": {"arguments": text}})
        return _event("content-delta", index=0, delta={"message": {"content": {"text": text}}})

    def closing(self, answer: Answer, *, wants_usage: bool) -> list[bytes]:
        delta = {"finish_reason": _FINISH[answer.finish_reason], "usage": _usage(answer)}
        return [
            _event("tool-call-end" if answer.tool else "content-end", index=0),
            _event("message-end", delta=delta),
            b"data: [DONE]\n\n",
        ]

    def failing(self, answer: Answer, error_body: dict[str, Any]) -> bytes:
        delta = {"finish_reason": "ERROR", "error": error_body["message"]}
        return _event("message-end", delta=delta)


def _json_form(wanted: dict[str, Any]) -> Form | None:
    if wanted.get("type") != "json_object":
        return None
    schema = wanted.get("json_schema")
    return ANY_JSON if schema is None else Form.of("answer", schema)


def _call(answer: Answer, arguments: str) -> dict[str, Any]:
    function = {"name": answer.tool, "arguments": arguments}
    return {"id": answer.call_id, "type": "function", "function": function}


def _tool_event(kind: str, call: dict[str, Any]) -> bytes:
    return _event(kind, index=0, delta={"message": {"tool_calls": call}})


def _read_messages(values: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(values, list) or not values:
        raise BadAskError("invalid request: messages must not be empty", "messages")
    messages = []
    for at, one in enumerate(values):
        if not isinstance(one, dict) or one.get("role") not in _ROLES:
            raise BadAskError(f"invalid request: messages[{at}].role", f"messages.{at}")
        text, _ = message_content(one, f"messages.{at}.content")
        messages.append((str(one["role"]), text))
    return tuple(messages)


def _id(answer: Answer) -> str:
    raw = answer.id.ljust(32, "0")
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:32]}"


def _usage(answer: Answer) -> dict[str, Any]:
    tokens = {"input_tokens": answer.prompt_tokens, "output_tokens": answer.completion_tokens}
    return {"billed_units": tokens, "tokens": tokens}


def _event(kind: str, **values: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **values})}\n\n".encode()

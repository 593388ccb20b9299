"""The OpenAI dialect: POST /v1/chat/completions, GET /v1/models."""

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

_ROLES = ("system", "developer", "user", "assistant", "tool")


class OpenAIWire:
    content_type = "text/event-stream; charset=utf-8"

    def hint(self, path: str) -> str | None:
        return "" if path == "chat/completions" else None

    def read(self, body: bytes, hint: str) -> Ask:
        values = read_object(body)
        model = values.get("model")
        if not isinstance(model, str) or not model:
            raise BadAskError("you must provide a model parameter", "model")
        if values.get("n") not in (None, 1):
            raise BadAskError("'n' must be 1", "n")
        messages, has_images = _read_messages(values.get("messages"))
        limit_name = "max_completion_tokens" if "max_completion_tokens" in values else "max_tokens"
        options = section(values, "stream_options")
        optional_number(values, "top_p", least=0, most=1)
        tool = chosen(tool_forms(values), _choice(values), messages[-1][0])
        return Ask(
            model=model,
            messages=messages,
            is_stream=flag(values, "stream"),
            max_tokens=optional_int(values, limit_name, least=1),
            stop=stop_texts(values, "stop", 4),
            temperature=optional_number(values, "temperature", least=0, most=2),
            seed=optional_int(values, "seed", least=-(2**63)),
            wants_usage=flag(options, "include_usage"),
            has_images=has_images,
            tool=tool,
            json_form=None if tool else _json_form(section(values, "response_format")),
        )

    def whole(self, answer: Answer) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["reasoning"] = answer.reasoning
        if answer.tool:
            message |= {"content": None, "tool_calls": [_call(answer, answer.arguments)]}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": answer.finish_reason,
        }
        return {
            "id": f"chatcmpl-{answer.id}",
            "object": "chat.completion",
            "created": answer.created_s,
            "model": answer.model.id,
            "choices": [choice],
            "usage": _usage(answer),
            "system_fingerprint": "fp_simulated",
        }

    def opening(self, answer: Answer) -> list[bytes]:
        first = [_chunk(answer, {"role": "assistant", "content": ""})]
        if answer.reasoning:
            first.append(_chunk(answer, {"reasoning": answer.reasoning}))
        if answer.tool:
            first.append(_chunk(answer, {"tool_calls": [_call(answer, "")]}))
        return first

    def piece(self, answer: Answer, text: str) -> bytes:
        if answer.tool:
            part = {"index": 0, "function": {"arguments": text}}
            return _chunk(answer, {"tool_calls": [part]})
        return _chunk(answer, {"content": text})

    def closing(self, answer: Answer, *, wants_usage: bool) -> list[bytes]:
        last = [_chunk(answer, {}, finish_reason=answer.finish_reason)]
        if wants_usage:
            last.append(_event({**_frame(answer), "choices": [], "usage": _usage(answer)}))
        return [*last, b"data: [DONE]\n\n"]

    def failing(self, answer: Answer, error_body: dict[str, Any]) -> bytes:
        """An error after streaming began, the way OpenRouter sends it."""
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = error_body.get("error", error_body)
        return _event({**_frame(answer), "error": error, "choices": [choice]})


def _choice(values: dict[str, Any]) -> str:
    """auto, none, required, or the name of the tool that must be called."""
    choice = values.get("tool_choice")
    if isinstance(choice, dict):
        return str(section(choice, "function").get("name"))
    return choice if isinstance(choice, str) else "auto"


def _json_form(wanted: dict[str, Any]) -> Form | None:
    if wanted.get("type") == "json_schema":
        return Form.of("answer", section(wanted, "json_schema").get("schema"))
    return ANY_JSON if wanted.get("type") == "json_object" else None


def _call(answer: Answer, arguments: str) -> dict[str, Any]:
    function = {"name": answer.tool, "arguments": arguments}
    return {"index": 0, "id": answer.call_id, "type": "function", "function": function}


def _read_messages(values: object) -> tuple[tuple[tuple[str, str], ...], bool]:
    if not isinstance(values, list) or not values:
        raise BadAskError("'messages' must be a list with at least one message", "messages")
    messages, has_images = [], False
    for at, one in enumerate(values):
        where = f"messages.{at}"
        if not isinstance(one, dict) or one.get("role") not in _ROLES:
            raise BadAskError(f"'{where}.role' must be one of {', '.join(_ROLES)}", where)
        text, with_image = message_content(one, f"{where}.content")
        messages.append((str(one["role"]), text))
        has_images = has_images or with_image
    return tuple(messages), has_images


def _usage(answer: Answer) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }
    if answer.reasoning_tokens:
        usage["completion_tokens_details"] = {"reasoning_tokens": answer.reasoning_tokens}
    return usage


def _frame(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{answer.id}",
        "object": "chat.completion.chunk",
        "created": answer.created_s,
        "model": answer.model.id,
    }


def _chunk(answer: Answer, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _event({**_frame(answer), "choices": [choice]})


def _event(values: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(values)}\n\n".encode()

"""Cohere's own chat format, version 2: https://docs.cohere.com/reference/chat (read 2026-11)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.dialects.asking import given, message_form, post, tool_forms
from gateway.dialects.base import Piece, Reply, StreamParser
from gateway.dialects.bodies import is_error
from gateway.dialects.fitting import fit
from gateway.dialects.reading import (
    BLOCKED,
    JsonStream,
    check_blocked,
    child,
    parse_object,
    text_of,
    thoughts_of,
    usage_of,
    word,
)
from gateway.dialects.refusals import classify, classify_inside
from gateway.dialects.tool_calls import Numbering, read_call, read_calls
from gateway.errors import MalformedReply, ProviderError, ProviderUnavailable
from gateway.messages import JsonFormat, NamedTool, Tool
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, SaidLimit, Target, ToolCallDelta, Unit, Usage, Window

_FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": BLOCKED,
}
_LONG = (Window.DAY, Window.MONTH)

# The only word on which quota is used up: "... limited to 1000 API calls / month".
_SAID = re.compile(rb"limited to (\d{1,9}) API calls / (minute|hour|day|month)")


class CohereDialect:
    wordless = frozenset({"parallel_tool_calls"})

    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        asked, dropped = fit(target, request, self.wordless)
        body = {
            "model": target.model,
            "messages": [message_form(one) for one in asked.messages],
            "stream": stream,
            **_parameters(asked),
        }
        accept = "text/event-stream" if stream else "application/json"
        return post(target, "/chat", body, accept=accept, dropped=dropped)

    def parse_response(self, body: bytes) -> Reply:
        answer = parse_object(body)
        if is_error(answer):
            raise classify_inside(answer, 200)
        message = answer.get("message")
        if not isinstance(message, dict):
            raise MalformedReply("The answer holds no message.", status=200)
        reply = Reply(
            text=text_of(message.get("content")),
            finish_reason=_finish(answer),
            usage=_usage(answer),
            reasoning=word(message.get("tool_plan")) + thoughts_of(message),
            tool_calls=read_calls(message.get("tool_calls"), Numbering()),
        )
        check_blocked(reply)
        return reply

    def parse_stream(self) -> StreamParser:
        numbering = Numbering()
        return JsonStream(lambda event: _piece(event, numbering))

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        said = _said(body)
        is_used_up = any(one.window in _LONG for one in said)
        codes = ("insufficient_quota",) if is_used_up else ()
        return classify(status, headers, body, codes=codes, said=said)


def _parameters(request: ChatRequest) -> dict[str, Any]:
    tools, choice = _tools(request)
    return given(
        {
            "temperature": request.temperature,
            "p": request.top_p,
            "max_tokens": request.max_tokens,
            "stop_sequences": list(request.stop) or None,
            "seed": request.seed,
            "tools": tool_forms(tools) or None,
            "tool_choice": choice,
            "response_format": _json_form(request.response_format),
        }
    )


def _tools(request: ChatRequest) -> tuple[tuple[Tool, ...], str | None]:
    """The wish for one tool can only be said by showing no other."""
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        return tuple(one for one in request.tools if one.name == choice.name), "REQUIRED"
    return request.tools, None if choice in (None, "auto") else choice.upper()


def _json_form(wanted: JsonFormat | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    schema = {} if wanted.schema is None else {"json_schema": dict(wanted.schema)}
    return {"type": "json_object", **schema}


def _piece(event: dict[str, Any], numbering: Numbering) -> Piece:
    if is_error(event):
        raise classify_inside(event, 200)
    delta = child(event, "delta")
    if event.get("type") == "message-end":
        if delta.get("error"):
            raise ProviderUnavailable(f"The answer broke off: {word(delta['error'])}", status=200)
        return Piece(finish_reason=_finish(delta) or "stop", usage=_usage(delta))
    message = child(delta, "message")
    content = child(message, "content")
    return Piece(
        text=text_of(content.get("text")),
        reasoning=text_of(message.get("tool_plan")) + text_of(content.get("thinking")),
        tool_calls=_calls(event, message, numbering),
    )


def _calls(
    event: Mapping[str, Any], message: Mapping[str, Any], numbering: Numbering
) -> tuple[ToolCallDelta, ...]:
    """A stream has one call in each of its events, and its number beside it."""
    call = message.get("tool_calls")
    if not isinstance(call, dict):
        return ()
    return (read_call(call, event.get("index"), numbering),)


def _finish(value: Mapping[str, Any]) -> str:
    said = word(value.get("finish_reason"))
    return _FINISH.get(said, said.lower())


def _usage(value: Mapping[str, Any]) -> Usage | None:
    tokens = child(value, "usage", "tokens")
    return usage_of(tokens.get("input_tokens"), tokens.get("output_tokens"))


def _said(body: bytes) -> tuple[SaidLimit, ...]:
    found = _SAID.search(body)
    if found is None:
        return ()
    amount, window = int(found[1]), Window(found[2].decode())
    return (SaidLimit(Unit.REQUESTS, window, amount, remaining=0),)

"""The OpenAI chat format, as its many hosts really speak it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.dialects.asking import given, message_form, post, tool_forms
from gateway.dialects.base import Piece, Reply, StreamParser
from gateway.dialects.bodies import is_error
from gateway.dialects.fitting import fit
from gateway.dialects.reading import (
    JsonStream,
    check_blocked,
    child,
    first,
    parse_object,
    text_of,
    thoughts_of,
    usage_of,
    word,
)
from gateway.dialects.refusals import classify, classify_inside
from gateway.dialects.tool_calls import Numbering, read_calls
from gateway.errors import MalformedReply, ProviderError
from gateway.messages import JsonFormat, NamedTool, ToolWish
from gateway.quirks import Quirks
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target, Usage


class OpenAIDialect:
    wordless: frozenset[str] = frozenset()

    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        asked, dropped = fit(target, request)
        body = {
            "model": target.model,
            "messages": _messages(asked, target.quirks),
            **_parameters(asked, target.quirks),
        }
        if stream:
            body["stream"] = True
            if target.quirks.stream_usage:
                body["stream_options"] = {"include_usage": True}
        accept = "text/event-stream" if stream else "application/json"
        return post(target, "/chat/completions", body, accept=accept, dropped=dropped)

    def parse_response(self, body: bytes) -> Reply:
        answer = parse_object(body)
        if is_error(answer):
            raise classify_inside(answer, 200)
        choice = first(answer, "choices") or {}
        message = choice.get("message")
        if not isinstance(message, dict):
            raise MalformedReply("The answer holds no message.", status=200)
        reply = Reply(
            text=_text(message),
            finish_reason=word(choice.get("finish_reason")),
            usage=_usage(child(answer, "usage")),
            reasoning=thoughts_of(message),
            tool_calls=read_calls(message.get("tool_calls"), Numbering()),
        )
        check_blocked(reply)
        return reply

    def parse_stream(self) -> StreamParser:
        numbering = Numbering()
        return JsonStream(lambda chunk: _piece(chunk, numbering))

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return classify(status, headers, body)


def _piece(chunk: dict[str, Any], numbering: Numbering) -> Piece:
    if chunk.get("error") or is_error(chunk):
        raise classify_inside(chunk, 200)
    choice = first(chunk, "choices") or {}
    delta = child(choice, "delta")
    return Piece(
        text=_text(delta),
        finish_reason=word(choice.get("finish_reason")),
        usage=_usage(child(chunk, "usage") or child(chunk, "x_groq", "usage")),
        reasoning=thoughts_of(delta),
        tool_calls=read_calls(delta.get("tool_calls"), numbering),
        is_sign_of_life=bool(delta.get("reasoning_details")),  # thoughts in cipher
    )


def _text(message: Mapping[str, Any]) -> str:
    """Where a model declines to fill a schema, its words stand in a place of their own."""
    return text_of(message.get("content")) or text_of(message.get("refusal"))


def _usage(said: Mapping[str, Any]) -> Usage | None:
    return usage_of(said.get("prompt_tokens"), said.get("completion_tokens"))


def _messages(request: ChatRequest, quirks: Quirks) -> list[dict[str, Any]]:
    forms = [message_form(one) for one in request.messages]
    if quirks.plain_content:
        for form in forms:
            form["content"] = form["content"] or ""
    return forms


def _parameters(request: ChatRequest, quirks: Quirks) -> dict[str, Any]:
    asked = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop) or None,
        "seed": request.seed,
        "tools": tool_forms(request.tools) or None,
        "tool_choice": _wish(request.tool_choice),
        "parallel_tool_calls": request.parallel_tool_calls,
        "response_format": _json_form(request.response_format),
    }
    for ours, theirs in quirks.renames:
        asked[theirs] = asked.pop(ours)
    return given(asked)


def _wish(choice: ToolWish | NamedTool | None) -> str | dict[str, Any] | None:
    if isinstance(choice, NamedTool):
        return {"type": "function", "function": {"name": choice.name}}
    return choice


def _json_form(wanted: JsonFormat | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if wanted.schema is None:
        return {"type": "json_object"}
    schema = given({"name": wanted.name, "schema": dict(wanted.schema), "strict": wanted.strict})
    return {"type": "json_schema", "json_schema": schema}

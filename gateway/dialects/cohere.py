"""Cohere's own chat format, version 2: https://docs.cohere.com/reference/chat."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gateway.dialects.base import Piece, Reply, StreamParser, auth_headers, request_url
from gateway.dialects.reading import (
    BLOCKED,
    JsonStream,
    check_blocked,
    child,
    parse_object,
    text_of,
    usage_of,
    word,
)
from gateway.dialects.refusals import classify
from gateway.errors import MalformedReply, ProviderError, ProviderUnavailable
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target, Usage

_FINISH = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": BLOCKED,
}


_TOO_MANY = 429
# The only word on which trial quota is used up: "... limited to 1000 API calls / month".
_LONG_WINDOW = re.compile(rb"API calls / (?:month|day)")


class CohereDialect:
    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        asked = {
            "temperature": request.temperature,
            "p": request.top_p,
            "max_tokens": request.max_tokens,
            "stop_sequences": list(request.stop) or None,
            "seed": request.seed,
        }
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "stream": stream,
            **{name: value for name, value in asked.items() if value is not None},
        }
        return OutgoingRequest(
            url=request_url(target, "/chat"),
            headers={
                **auth_headers(target),
                "Content-Type": "application/json",
                "Accept": "text/event-stream" if stream else "application/json",
            },
            body=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        )

    def parse_response(self, body: bytes) -> Reply:
        answer = parse_object(body)
        message = answer.get("message")
        if not isinstance(message, dict):
            raise MalformedReply("The answer holds no message.", status=200)
        text = text_of(message.get("content"))
        finish_reason = _finish(answer)
        check_blocked(finish_reason, has_text=bool(text))
        return Reply(text, finish_reason, _usage(answer))

    def parse_stream(self) -> StreamParser:
        return JsonStream(_piece)

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        is_used_up = status == _TOO_MANY and _LONG_WINDOW.search(body)
        return classify(status, headers, body, codes=("insufficient_quota",) if is_used_up else ())


def _piece(event: dict[str, Any]) -> Piece:
    delta = child(event, "delta")
    if event.get("type") == "message-end":
        if delta.get("error"):
            raise ProviderUnavailable(f"The answer broke off: {word(delta['error'])}", status=200)
        return Piece(finish_reason=_finish(delta) or "stop", usage=_usage(delta))
    message = child(delta, "message")
    content = child(message, "content")
    return Piece(text=word(content.get("text")), is_sign_of_life=bool(content.get("thinking")))


def _finish(value: Mapping[str, Any]) -> str:
    said = word(value.get("finish_reason"))
    return _FINISH.get(said, said.lower())


def _usage(value: Mapping[str, Any]) -> Usage | None:
    tokens = child(value, "usage", "tokens")
    return usage_of(tokens.get("input_tokens"), tokens.get("output_tokens"))

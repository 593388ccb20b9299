"""The OpenAI chat format, as its many hosts really speak it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.dialects.base import Piece, Reply, StreamParser, auth_headers, request_url
from gateway.dialects.reading import (
    JsonStream,
    check_blocked,
    child,
    first,
    parse_object,
    text_of,
    usage_of,
    word,
)
from gateway.dialects.refusals import classify, classify_inside
from gateway.errors import MalformedReply, ProviderError
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target

_REASONING = ("reasoning", "reasoning_content", "thinking")


class OpenAIDialect:
    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        body: dict[str, Any] = {
            "model": target.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            **_parameters(request),
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return OutgoingRequest(
            url=request_url(target, "/chat/completions"),
            headers={
                **auth_headers(target),
                "Content-Type": "application/json",
                "Accept": "text/event-stream" if stream else "application/json",
            },
            body=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        )

    def parse_response(self, body: bytes) -> Reply:
        answer = parse_object(body)
        if answer.get("error") and not answer.get("choices"):
            raise classify_inside(answer, 200)
        choice = first(answer, "choices") or {}
        message = choice.get("message")
        if not isinstance(message, dict):
            raise MalformedReply("The answer holds no message.", status=200)
        usage = child(answer, "usage")
        reply = Reply(
            text=text_of(message.get("content")),
            finish_reason=word(choice.get("finish_reason")),
            usage=usage_of(usage.get("prompt_tokens"), usage.get("completion_tokens")),
        )
        check_blocked(reply.finish_reason, has_text=bool(reply.text))
        return reply

    def parse_stream(self) -> StreamParser:
        return JsonStream(_piece)

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        return classify(status, headers, body)


def _piece(chunk: dict[str, Any]) -> Piece:
    if chunk.get("error"):
        raise classify_inside(chunk, 200)
    choice = first(chunk, "choices") or {}
    delta = child(choice, "delta")
    usage = child(chunk, "usage") or child(chunk, "x_groq", "usage")
    return Piece(
        text=text_of(delta.get("content")),
        finish_reason=word(choice.get("finish_reason")),
        usage=usage_of(usage.get("prompt_tokens"), usage.get("completion_tokens")),
        is_sign_of_life=any(delta.get(name) for name in _REASONING),
    )


def _parameters(request: ChatRequest) -> dict[str, Any]:
    asked = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop) or None,
        "seed": request.seed,
    }
    return {name: value for name, value in asked.items() if value is not None}

"""Google's own format: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.dialects.base import Piece, Reply, StreamParser, auth_headers, request_url
from gateway.dialects.reading import (
    BLOCKED,
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
from gateway.limiter.headers import parse_wait
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target, Usage

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), BLOCKED
)


class GeminiDialect:
    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        how = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
        model = quote(target.model.removeprefix("models/"), safe="")
        return OutgoingRequest(
            url=request_url(target, f"/models/{model}{how}"),
            headers={**auth_headers(target), "Content-Type": "application/json"},
            body=json.dumps(_body(request), ensure_ascii=False).encode(errors="replace"),
        )

    def parse_response(self, body: bytes) -> Reply:
        piece = _piece(parse_object(body))
        if not piece.finish_reason and not piece.text:
            raise MalformedReply("The answer holds no message.", status=200)
        check_blocked(piece.finish_reason, has_text=bool(piece.text))
        return Reply(piece.text, piece.finish_reason, piece.usage)

    def parse_stream(self) -> StreamParser:
        return JsonStream(_piece)

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        codes, wait_s = _details(body)
        return classify(status, headers, body, codes=codes, wait_s=wait_s)


def _body(request: ChatRequest) -> dict[str, Any]:
    system = [{"text": m.content} for m in request.messages if m.role == "system"]
    asked = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
    }
    config = {name: value for name, value in asked.items() if value is not None}
    return {
        "contents": [
            {"role": "model" if m.role == "assistant" else "user", "parts": [{"text": m.content}]}
            for m in request.messages
            if m.role != "system"
        ],
        **({"systemInstruction": {"parts": system}} if system else {}),
        **({"generationConfig": config} if config else {}),
    }


def _piece(chunk: dict[str, Any]) -> Piece:
    if chunk.get("error"):
        raise classify_inside(chunk, 200)
    candidate = first(chunk, "candidates") or {}
    parts = child(candidate, "content").get("parts")
    said = word(candidate.get("finishReason"))
    is_refused = not candidate and child(chunk, "promptFeedback").get("blockReason")
    return Piece(
        text=text_of(parts),
        finish_reason=BLOCKED if is_refused else _FINISH.get(said, said.lower()),
        usage=_usage(child(chunk, "usageMetadata")),
        is_sign_of_life=isinstance(parts, list) and bool(parts),
    )


def _usage(said: Mapping[str, Any]) -> Usage | None:
    """Thinking is paid for like the answer."""
    return usage_of(
        said.get("promptTokenCount"),
        said.get("candidatesTokenCount"),
        said.get("thoughtsTokenCount"),
    )


def _details(body: bytes) -> tuple[tuple[str, ...], float | None]:
    """Which quota, which reason, how long: Google says so in typed details."""
    try:
        error = child(json.loads(body), "error")
    except (ValueError, RecursionError):
        return (), None
    codes: list[str] = []
    wait_s = None
    for one in error.get("details") or ():
        if not isinstance(one, dict):
            continue
        if one.get("reason") == "API_KEY_INVALID":
            codes.append("invalid_api_key")
        if "PerDay" in word((first(one, "violations") or {}).get("quotaId")):
            codes.append("insufficient_quota")
        if isinstance(one.get("retryDelay"), str):
            wait_s = parse_wait(one["retryDelay"], "duration")
    return tuple(codes), wait_s

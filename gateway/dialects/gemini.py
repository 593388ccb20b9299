"""Google's own format: https://ai.google.dev/api/generate-content (read 2026-11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.dialects.asking import post
from gateway.dialects.base import Piece, Reply, StreamParser
from gateway.dialects.fitting import fit
from gateway.dialects.gemini_asking import request_body
from gateway.dialects.gemini_refusals import read_details
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
from gateway.dialects.tool_calls import json_text
from gateway.errors import MalformedReply, ProviderError
from gateway.transport import OutgoingRequest
from gateway.types import ChatRequest, Target, ToolCallDelta, Usage

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"), BLOCKED
)


class GeminiDialect:
    wordless = frozenset({"parallel_tool_calls"})

    def build_request(
        self, target: Target, request: ChatRequest, *, stream: bool
    ) -> OutgoingRequest:
        asked, dropped = fit(target, request, self.wordless)
        how = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
        model = quote(target.model.removeprefix("models/"), safe="")
        return post(
            target, f"/models/{model}{how}", request_body(asked, target.model), dropped=dropped
        )

    def parse_response(self, body: bytes) -> Reply:
        piece = _Reader().read(parse_object(body))
        if not piece.finish_reason and not piece.has_content:
            raise MalformedReply("The answer holds no message.", status=200)
        check_blocked(piece)
        return piece

    def parse_stream(self) -> StreamParser:
        return JsonStream(_Reader().read)

    def classify_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        codes, wait_s, said = read_details(body)
        return classify(status, headers, body, codes=codes, wait_s=wait_s, said=said)


class _Reader:
    """Reads the chunks of one answer; its tool calls have no numbers of their own."""

    def __init__(self) -> None:
        self._calls = 0

    def read(self, chunk: dict[str, Any]) -> Piece:
        if chunk.get("error"):
            raise classify_inside(chunk, 200)
        candidate = first(chunk, "candidates") or {}
        parts = child(candidate, "content").get("parts")
        parts = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
        said = word(candidate.get("finishReason"))
        is_refused = not candidate and child(chunk, "promptFeedback").get("blockReason")
        return Piece(
            text=text_of(parts),
            finish_reason=BLOCKED if is_refused else _FINISH.get(said, said.lower()),
            usage=_usage(child(chunk, "usageMetadata")),
            reasoning="".join(text_of(one.get("text")) for one in parts if one.get("thought")),
            tool_calls=self._tool_calls(parts, word(chunk.get("responseId"))),
            is_sign_of_life=bool(parts),
        )

    def _tool_calls(self, parts: list[dict[str, Any]], answer_id: str) -> tuple[ToolCallDelta, ...]:
        calls = []
        for part in parts:
            call = child(part, "functionCall")
            if not word(call.get("name")):
                continue
            own_id = word(call.get("id")) or f"call_{answer_id}_{self._calls}"
            calls.append(
                ToolCallDelta(
                    index=self._calls,
                    id=own_id,
                    name=call["name"],
                    arguments=json_text(call.get("args") or {}),
                    signature=word(part.get("thoughtSignature")),
                )
            )
            self._calls += 1
        return tuple(calls)


def _usage(said: Mapping[str, Any]) -> Usage | None:
    """Thinking is paid for like the answer."""
    return usage_of(
        said.get("promptTokenCount"),
        said.get("candidatesTokenCount"),
        said.get("thoughtsTokenCount"),
    )

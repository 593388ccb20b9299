"""Tokens guessed from text, for reservations and where a provider reports no usage."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from gateway.types import ChatRequest, Message, ToolCall

# Four bytes of UTF-8 per token is the field's rule of thumb for English; it overestimates code
# slightly and fits CJK (three bytes a character, about 0.75 tokens) well enough to reserve by.
_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4  # the role and the separators around each message
_TOKENS_PER_PROMPT = 3
# OpenAI bills 765 tokens for a picture of 1024 x 1024, Google 258 for each tile of 768 x 768:
# https://platform.openai.com/docs/guides/images-vision, https://ai.google.dev/gemini-api/docs/tokens
_TOKENS_PER_IMAGE = 800
_TOKENS_PER_TOOL = 8


def estimate_tokens(text: str) -> int:
    return math.ceil(len(text.encode(errors="replace")) / _BYTES_PER_TOKEN)


def estimate_prompt_tokens(messages: Iterable[Message]) -> int:
    return _TOKENS_PER_PROMPT + sum(_tokens_of(one) for one in messages)


def estimate_request_tokens(request: ChatRequest) -> int:
    """The prompt's tokens with all that is sent along: tools and the schema of the answer."""
    tokens = estimate_prompt_tokens(request.messages)
    for tool in request.tools:
        said = f"{tool.name}{tool.description}{json.dumps(dict(tool.parameters))}"
        tokens += _TOKENS_PER_TOOL + estimate_tokens(said)
    wanted = request.response_format
    if wanted and wanted.schema is not None:
        tokens += estimate_tokens(json.dumps(dict(wanted.schema)))
    return tokens


def estimate_call_tokens(calls: Iterable[ToolCall]) -> int:
    return sum(_TOKENS_PER_TOOL + estimate_tokens(one.name + one.arguments) for one in calls)


def _tokens_of(message: Message) -> int:
    tokens = _TOKENS_PER_MESSAGE + estimate_tokens(message.text)
    if message.parts:
        tokens += _TOKENS_PER_IMAGE * len(message.images)
    if message.tool_calls:
        tokens += estimate_call_tokens(message.tool_calls)
    return tokens

"""Tokens guessed from text, for reservations and where a provider reports no usage."""

from __future__ import annotations

import math
from collections.abc import Iterable

from gateway.types import Message

# Four bytes of UTF-8 per token is the field's rule of thumb for English; it overestimates code
# slightly and fits CJK (three bytes a character, about 0.75 tokens) well enough to reserve by.
_BYTES_PER_TOKEN = 4
_TOKENS_PER_MESSAGE = 4  # the role and the separators around each message
_TOKENS_PER_PROMPT = 3


def estimate_tokens(text: str) -> int:
    return math.ceil(len(text.encode(errors="replace")) / _BYTES_PER_TOKEN)


def estimate_prompt_tokens(messages: Iterable[Message]) -> int:
    return _TOKENS_PER_PROMPT + sum(
        _TOKENS_PER_MESSAGE + estimate_tokens(message.content) for message in messages
    )

"""What refusals say in words of the limit behind them. Each pattern is one provider's wording.

A recorded reply in tests/gateway/replies/ holds every one of them in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway.limiter.headers import parse_number, parse_wait
from gateway.types import SaidLimit, Unit, Window

# Groq says "... on tokens per minute (TPM): Limit 8000, Used 2591, Requested 5863."
_LIMIT_USED = re.compile(
    r"on (requests|tokens) per (second|minute|hour|day)[^:]*: "
    r"Limit (\d{1,12})(?:, Used (\d{1,12}))?"
)
# Cerebras says "Requests per minute limit exceeded - too many requests sent."
_PER_WINDOW = re.compile(r"(Requests|Tokens) per (second|minute|hour|day) limit exceeded")
# GitHub Models says "Rate limit of 50 per 86400s exceeded for UserByModelByDay."
_PER_SECONDS = re.compile(r"Rate limit of (\d{1,9}) per (\d{1,7})s exceeded for (?!\w*Concurrent)")
# OpenRouter says of its own pool "Rate limit exceeded: free-models-per-day", or -per-min
_FREE_MODELS = re.compile(r"free-models-per-(day|min)")

# Groq, Gemini, GitHub Models and LLM7 repeat the wait in their sentences.
_WAIT = re.compile(
    r"(?:try again|retry|retry after|wait)(?: in)? "
    r"((?:\d+(?:\.\d+)?(?:ms|[dhms]))+|\d+ seconds?)\b",
    re.IGNORECASE,
)

_WINDOW_OF_SECONDS = {window.seconds: window for window in Window}


def limits_said(message: str, fields: Mapping[str, Any]) -> tuple[SaidLimit, ...]:
    """The limits named in a refusal's message; `fields` is the object that holds it."""
    for pattern, read in _READERS:
        if found := pattern.search(message):
            said = read(found, fields)
            return () if said is None else (said,)
    return ()


def wait_said(message: str) -> float | None:
    """The wait a sentence names, in seconds."""
    found = _WAIT.search(message)
    return None if found is None else parse_wait(found[1].partition(" ")[0], "seconds")


def _limit_used(found: re.Match[str], _: Mapping[str, Any]) -> SaidLimit:
    limit, used = int(found[3]), found[4]
    remaining = None if used is None else max(0, limit - int(used))
    return SaidLimit(Unit(found[1]), Window(found[2]), limit, remaining)


def _per_window(found: re.Match[str], _: Mapping[str, Any]) -> SaidLimit:
    unit = Unit(found[1].lower())
    # Of tokens some may be left, only not as many as the request wanted.
    return SaidLimit(unit, Window(found[2]), remaining=0 if unit is Unit.REQUESTS else None)


def _per_seconds(found: re.Match[str], _: Mapping[str, Any]) -> SaidLimit | None:
    window = _WINDOW_OF_SECONDS.get(int(found[2]))
    return None if window is None else SaidLimit(Unit.REQUESTS, window, int(found[1]), 0)


def _free_models(found: re.Match[str], fields: Mapping[str, Any]) -> SaidLimit:
    window = Window.DAY if found[1] == "day" else Window.MINUTE
    metadata = fields.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    amount = headers.get("X-RateLimit-Limit") if isinstance(headers, dict) else None
    number = parse_number(str(amount))
    return SaidLimit(Unit.REQUESTS, window, None if number is None else int(number), remaining=0)


_Reader = Callable[[re.Match[str], Mapping[str, Any]], SaidLimit | None]
_READERS: tuple[tuple[re.Pattern[str], _Reader], ...] = (
    (_LIMIT_USED, _limit_used),
    (_PER_WINDOW, _per_window),
    (_PER_SECONDS, _per_seconds),
    (_FREE_MODELS, _free_models),
)

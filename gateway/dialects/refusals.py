"""Error bodies in all the shapes seen in the field, and what they mean.

Judged by status and structured code. Where a provider says it only in words, the pattern stands
in `_IN_WORDS` and a recorded reply in tests/gateway/replies/ holds it in place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from gateway.dialects.said import limits_said, wait_said
from gateway.errors import (
    AuthRejected,
    ContentBlocked,
    ContextTooLong,
    Forbidden,
    InvalidRequest,
    MalformedReply,
    ModelGone,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExhausted,
    Throttled,
)
from gateway.limiter.headers import now_by, parse_wait, retry_after_s
from gateway.types import SaidLimit, Window

# A wait of this length is no rate any more: what is used up is the hour's or the day's quota.
_EXHAUSTED_FROM_S = 900.0
_SHOWN_CHARS = 300
_READ_CHARS = 2000

# OpenRouter names the host behind a model whose refusal it passes on: no quota of ours.
_UPSTREAM = "upstream"

_REDIRECTS = range(300, 400)
_CALLERS_FAULT = range(400, 500)
_STATUS_WORDS = frozenset(map(str, range(400, 600)))

_BY_STATUS: dict[int, type[ProviderError]] = {
    400: InvalidRequest,
    401: AuthRejected,
    402: QuotaExhausted,
    403: Forbidden,
    404: ModelGone,
    408: ProviderTimeout,
    410: ModelGone,
    413: ContextTooLong,  # Groq: larger than the minute's tokens; waiting never helps
    422: InvalidRequest,
    425: ProviderUnavailable,
    429: Throttled,
    451: ContentBlocked,
    498: ProviderUnavailable,  # Groq: flex capacity exceeded
}

_BY_CODE: dict[str, type[ProviderError]] = {
    "invalid_api_key": AuthRejected,
    "wrong_api_key": AuthRejected,  # Cerebras
    "unauthorized": AuthRejected,
    "AuthError": AuthRejected,  # OpenCode
    "10000": AuthRejected,  # Cloudflare
    "insufficient_quota": QuotaExhausted,
    "FreeUsageLimitError": QuotaExhausted,  # OpenCode; comes with 400, 401, 403 or 429
    "3036": QuotaExhausted,  # Cloudflare, as documented
    "4006": QuotaExhausted,  # Cloudflare, as seen
    "1113": QuotaExhausted,  # Z.ai: no balance
    "queue_exceeded": ProviderUnavailable,  # Cerebras: a full machine, not a used-up quota
    "3040": ProviderUnavailable,  # Cloudflare: out of capacity
    "1305": ProviderUnavailable,  # Z.ai: overloaded
    "context_length_exceeded": ContextTooLong,
    "tokens_limit_reached": ContextTooLong,
    "content_filter": ContentBlocked,
    "content_policy_violation": ContentBlocked,
    "model_not_found": ModelGone,
    "model_archived": ModelGone,  # Cerebras
    "model_decommissioned": ModelGone,
    "5007": ModelGone,  # Cloudflare
    "1214": ModelGone,  # Z.ai
}

# What is used up for a day or a month comes back no sooner by trying.
_LONG = (Window.DAY, Window.MONTH)

# Others are refused in the same way however long one waits.
_CURED_BY_TIME = (Throttled, QuotaExhausted, ProviderUnavailable, ProviderTimeout)

# Mistral: a limit of 0 means that the plan does not include the model.
_PLAN_LIMIT = "x-ratelimit-limit-req-minute"

_IN_WORDS: tuple[tuple[re.Pattern[str], type[ProviderError]], ...] = (
    # ModelScope answers 429 for a model it has withdrawn.
    (re.compile(r"insufficient balance \(1008\)"), ModelGone),
    # NVIDIA answers 400 for a deployment that is down.
    (re.compile(r"DEGRADED function cannot be invoked"), ProviderUnavailable),
    # vLLM, llama.cpp and many hosts give a bare 400.
    (re.compile(r"maximum context length|exceeds? the .*context", re.IGNORECASE), ContextTooLong),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error body says. `codes` are its code and type words, most telling first."""

    message: str
    codes: tuple[str, ...] = ()
    wait_s: float | None = None
    said: tuple[SaidLimit, ...] = ()


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    codes: tuple[str, ...] = (),
    wait_s: float | None = None,
    said: tuple[SaidLimit, ...] = (),
) -> ProviderError:
    """The error a failed exchange stands for; never raises, whatever came.

    `codes`, `wait_s` and `said` are what a dialect found in a place that only it knows.
    """
    if status in _REDIRECTS:
        return MalformedReply(
            "The provider redirects to another address; keys do not follow.", status=status
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS and headers.get(_PLAN_LIMIT) == "0":
        return Forbidden("The plan behind this key does not include the model.", status=status)
    found = read_refusal(body, now_by(headers))
    told_s = retry_after_s(headers)
    refusal = replace(
        found,
        codes=(*codes, *found.codes),
        wait_s=told_s if told_s is not None else wait_s or found.wait_s,
        said=said or found.said,
    )
    words = f"Answered {status}: {refusal.message}" if refusal.message else f"Answered {status}"
    return _error(words, status, refusal)


def is_error(payload: Mapping[str, Any]) -> bool:
    """Whether what came with a success is an error in one of the known shapes."""
    if payload.get("choices"):
        return False
    if any(payload.get(name) for name in ("error", "errors", "detail")):
        return True
    return isinstance(payload.get("message"), str)


def classify_inside(payload: Mapping[str, Any], status: int) -> ProviderError:
    """The error inside an answer that began as a success; its own status counts if it has one."""
    refusal = _refusal_of(payload, now=None)
    inner = next((int(c) for c in refusal.codes if c in _STATUS_WORDS), HTTPStatus.BAD_GATEWAY)
    words = f"Answered {status}, with an error inside: {refusal.message or inner}"
    return _error(words, inner, refusal)


def _error(words: str, status: int, refusal: Refusal) -> ProviderError:
    kind = _kind_of(status, refusal)
    wait_s = refusal.wait_s if issubclass(kind, _CURED_BY_TIME) else None
    return kind(words, status=int(status), retry_after_s=wait_s, said=refusal.said)


def _kind_of(status: int, refusal: Refusal) -> type[ProviderError]:
    for code in refusal.codes:
        if code in _BY_CODE:
            return _BY_CODE[code]
    for pattern, kind in _IN_WORDS:
        if pattern.search(refusal.message):
            return kind
    kind = _BY_STATUS.get(status) or (
        InvalidRequest if status in _CALLERS_FAULT else ProviderUnavailable
    )
    if kind is Throttled and _UPSTREAM in refusal.codes:
        return ProviderUnavailable
    if kind is Throttled and _is_used_up(refusal):
        return QuotaExhausted
    return kind


def _is_used_up(refusal: Refusal) -> bool:
    """Whether no minute's rate was exceeded, but a longer window's quota."""
    if any(one.window in _LONG for one in refusal.said):
        return True
    return refusal.wait_s is not None and refusal.wait_s >= _EXHAUSTED_FROM_S


def read_refusal(body: bytes, now: float | None = None) -> Refusal:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal(_plain_words(body))
    if isinstance(payload, dict):
        return _refusal_of(payload, now)
    return Refusal(shown(payload) if isinstance(payload, str) else "")


def _refusal_of(payload: Mapping[str, Any], now: float | None) -> Refusal:
    """The known shapes: {error: {...}}, {error: "..."}, flat, {detail}, {errors: [...]}."""
    inner = payload.get("error") or payload.get("errors") or payload.get("detail")
    if isinstance(inner, list):
        inner = inner[0] if inner else None
    if isinstance(inner, str):
        return _refusal(inner, payload, payload, now)
    fields = inner if isinstance(inner, dict) else payload
    message = fields.get("message") or fields.get("msg") or payload.get("title") or ""
    return _refusal(_words(message), fields, payload, now)


def _words(message: Any) -> str:
    """A sentence; Mistral has a list of complaints in its place, each with the field it means."""
    if isinstance(message, str):
        return message
    complaints = message.get("detail") if isinstance(message, dict) else None
    first = complaints[0] if isinstance(complaints, list) and complaints else None
    if not isinstance(first, dict):
        return ""
    place = first.get("loc")
    where = ".".join(map(str, place)) if isinstance(place, list) else ""
    return f"{where}: {first.get('msg', '')}".removeprefix(": ")


def _refusal(
    message: str, fields: Mapping[str, Any], payload: Mapping[str, Any], now: float | None
) -> Refusal:
    wait_s = _wait(fields, payload, now)
    return Refusal(
        shown(message),
        _codes(fields),
        wait_said(message[:_READ_CHARS]) if wait_s is None else wait_s,
        limits_said(message[:_READ_CHARS], fields),
    )


def _codes(fields: Mapping[str, Any]) -> tuple[str, ...]:
    metadata = fields.get("metadata")
    is_upstreams = isinstance(metadata, dict) and bool(metadata.get("provider_name"))
    words = (fields.get("code"), fields.get("type"), _UPSTREAM if is_upstreams else None)
    return tuple(str(word) for word in words if isinstance(word, str | int) and word != "error")


def _wait(fields: Mapping[str, Any], payload: Mapping[str, Any], now: float | None) -> float | None:
    """LLM7 repeats the wait in the body, OpenRouter its reset header."""
    said = payload.get("retry_after", fields.get("retry_after"))
    if said is not None:
        return parse_wait(str(said), "seconds", now)
    metadata = fields.get("metadata")
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    reset = headers.get("X-RateLimit-Reset") if isinstance(headers, dict) else None
    return None if reset is None else parse_wait(str(reset), "epoch-ms", now)


def _plain_words(body: bytes) -> str:
    text = body[:_READ_CHARS].decode(errors="replace").strip()
    return "" if text.startswith("<") else shown(text)


def shown(text: str) -> str:
    """One short line, fit to be shown to a person."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:_READ_CHARS]).split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"

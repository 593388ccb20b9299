"""What refusals mean: which error of the engine's tree each of them is.

Judged by status and structured code. Where a provider says it only in words, the pattern stands
in `_IN_WORDS` and a recorded reply in tests/gateway/replies/ holds it in place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from gateway.dialects.bodies import UPSTREAM, Refusal, read_refusal, refusal_of
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
from gateway.limiter.headers import now_by, retry_after_s
from gateway.types import SaidLimit, Window

# A wait of this length is no rate any more: what is used up is the hour's or the day's quota.
_EXHAUSTED_FROM_S = 900.0

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


def classify_inside(payload: Mapping[str, Any], status: int) -> ProviderError:
    """The error inside an answer that began as a success; its own status counts if it has one."""
    refusal = refusal_of(payload, now=None)
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
    if kind is Throttled and UPSTREAM in refusal.codes:
        return ProviderUnavailable
    if kind is Throttled and _is_used_up(refusal):
        return QuotaExhausted
    return kind


def _is_used_up(refusal: Refusal) -> bool:
    """Whether no minute's rate was exceeded, but a longer window's quota."""
    if any(one.window in _LONG for one in refusal.said):
        return True
    return refusal.wait_s is not None and refusal.wait_s >= _EXHAUSTED_FROM_S

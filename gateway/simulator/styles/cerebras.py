"""Cerebras: every window in its own header on success, none on a refusal; flat error bodies."""

from __future__ import annotations

from typing import Any

from gateway.simulator.styles.base import (
    Headers,
    Problem,
    ProblemKind,
    Reply,
    Style,
    View,
    retry_after,
)
from gateway.simulator.windows import SECOND_US, Refusal
from gateway.types import Unit, Window

_WINDOWS = (Window.MINUTE, Window.HOUR, Window.DAY)
_WITH_RESET = ((Unit.REQUESTS, Window.DAY), (Unit.TOKENS, Window.MINUTE))
_CODES = {
    ProblemKind.WRONG_KEY: ("invalid_request_error", "api_key", "wrong_api_key"),
    ProblemKind.NO_PERMISSION: ("forbidden_error", "api_key", "permission_denied"),
    ProblemKind.NO_CREDIT: ("payment_required_error", "billing", "payment_required"),
    ProblemKind.UNKNOWN_MODEL: ("not_found_error", "model", "model_not_found"),
    ProblemKind.BAD_REQUEST: ("invalid_request_error", None, "wrong_request_format"),
    ProblemKind.CONTEXT_TOO_LONG: ("invalid_request_error", "messages", "context_length_exceeded"),
    ProblemKind.TOO_LARGE: ("invalid_request_error", None, "request_too_large"),
    ProblemKind.THROTTLED: ("too_many_requests_error", "queue", "queue_exceeded"),
    ProblemKind.SERVER: ("server_error", None, "internal_server_error"),
}


class CerebrasStyle(Style):
    def admitted_headers(self, view: View) -> Headers:
        headers: Headers = []
        for what in ("limit", "remaining"):
            for unit in (Unit.REQUESTS, Unit.TOKENS):
                for window in _WINDOWS:
                    if one := view.find(unit, window):
                        value = one.limit.amount if what == "limit" else one.remaining
                        headers.append((f"x-ratelimit-{what}-{unit}-{window}", str(value)))
        for unit, window in _WITH_RESET:
            if one := view.find(unit, window):
                seconds = f"{one.reset_us / SECOND_US:.6f}"
                headers.append((f"x-ratelimit-reset-{unit}-{window}", seconds))
        return headers

    def refused(self, refusal: Refusal, view: View) -> Reply:
        limit = refusal.standing.limit
        is_requests = limit.unit is Unit.REQUESTS
        body = {
            "message": f"{limit.unit.title()} per {limit.window} limit exceeded - "
            f"too many {limit.unit} {'sent' if is_requests else 'processed'}.",
            "type": "too_many_requests_error",
            "param": "quota",
            "code": "request_quota_exceeded" if is_requests else "token_quota_exceeded",
        }
        headers = [] if refusal.wait_us is None else [retry_after(refusal.wait_us)]
        return Reply(429, body, headers)

    def problem(self, problem: Problem) -> Reply:
        reply = super().problem(problem)
        if problem.kind is ProblemKind.THROTTLED and problem.retry_after_s is None:
            return Reply(reply.status, reply.body, [("x-should-retry", "false")])
        return reply

    def error_body(self, problem: Problem) -> dict[str, Any]:
        kind, param, code = _CODES[problem.kind]
        return {
            "message": problem.message,
            "type": kind,
            "param": problem.param or param,
            "code": code,
        }

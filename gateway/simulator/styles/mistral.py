"""Mistral: per-minute headers on plain answers and refusals, none on streams, no Retry-After."""

from __future__ import annotations

from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.base import Headers, Problem, ProblemKind, Reply, Style, View
from gateway.simulator.windows import Refusal
from gateway.types import Unit, Window

_CODES = {
    ProblemKind.UNKNOWN_MODEL: ("invalid_model", "1500"),
    ProblemKind.BAD_REQUEST: ("invalid_request_error", "2000"),
    ProblemKind.CONTEXT_TOO_LONG: ("invalid_request_error", "context_length_exceeded"),
    ProblemKind.THROTTLED: ("rate_limited", "1300"),
    ProblemKind.SERVER: ("internal_server_error", "1000"),
}


class MistralStyle(Style):
    def admitted_headers(self, view: View) -> Headers:
        return [] if view.is_stream else _minute_headers(view)

    def refused(self, refusal: Refusal, view: View) -> Reply:
        body = self.error_body(Problem(ProblemKind.THROTTLED, 429, "Rate limit exceeded"))
        return Reply(429, body, _minute_headers(view))

    def error_body(self, problem: Problem) -> dict[str, Any]:
        if problem.kind is ProblemKind.WRONG_KEY:
            return {"detail": "Unauthorized"}
        if problem.kind is ProblemKind.NO_PERMISSION:
            return {"detail": "Forbidden"}
        kind, code = _CODES.get(problem.kind, ("invalid_request_error", "2000"))
        return {
            "object": "error",
            "message": problem.message,
            "type": kind,
            "param": problem.param,
            "code": code,
            "raw_status_code": problem.status,
        }

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        return {
            **super().model_entry(provider, model),
            "name": model.id,
            "description": model.name,
            "aliases": [],
            "max_context_length": model.context_tokens,
            "capabilities": {
                "completion_chat": True,
                "completion_fim": "code" in model.specialties,
                "function_calling": "tool-use" in model.specialties,
                "fine_tuning": False,
                "vision": model.modality == "vision",
            },
            "type": "base",
        }


def _minute_headers(view: View) -> Headers:
    headers: Headers = []
    for name, unit in (("req", Unit.REQUESTS), ("tokens", Unit.TOKENS)):
        if one := view.find(unit, Window.MINUTE):
            headers.append((f"x-ratelimit-limit-{name}-minute", str(one.limit.amount)))
            headers.append((f"x-ratelimit-remaining-{name}-minute", str(one.remaining)))
    return headers

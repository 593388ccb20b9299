"""Gemini: no rate headers at all; the quota and the wait stand in the error's details."""

from __future__ import annotations

from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.base import Problem, ProblemKind, Reply, Style, View
from gateway.simulator.styles.paged import Query, page_of
from gateway.simulator.windows import SECOND_US, Refusal
from gateway.types import Unit

_TYPE = "type.googleapis.com/google.rpc."
_METRIC = "generativelanguage.googleapis.com/generate_content_free_tier_"
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiStyle(Style):
    def refused(self, refusal: Refusal, view: View) -> Reply:
        limit = refusal.standing.limit
        what = "requests" if limit.unit is Unit.REQUESTS else "input_token_count"
        kind = "Requests" if limit.unit is Unit.REQUESTS else "InputTokens"
        violation = {
            "quotaMetric": f"{_METRIC}{what}",
            "quotaId": f"Generate{kind}Per{limit.window.title()}PerProjectPerModel-FreeTier",
            "quotaDimensions": {"location": "global", "model": view.model.id},
            "quotaValue": str(limit.amount),
        }
        details: list[dict[str, Any]] = [
            {"@type": f"{_TYPE}QuotaFailure", "violations": [violation]}
        ]
        text = "You exceeded your current quota, please check your plan and billing details."
        if refusal.wait_us is not None:
            wait_ms = -(-refusal.wait_us // 1_000)
            details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{wait_ms / 1_000:g}s"})
            text += f"\nPlease retry in {refusal.wait_us / SECOND_US:.1f}s."
        return Reply(429, _error(429, text, details))

    def status(self, problem: Problem) -> int:
        return 400 if problem.kind is ProblemKind.WRONG_KEY else problem.status

    def error_body(self, problem: Problem) -> dict[str, Any]:
        if problem.kind is not ProblemKind.WRONG_KEY:
            return _error(problem.status, problem.message)
        info = {
            "@type": f"{_TYPE}ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
        return _error(400, "API key not valid. Please pass a valid API key.", [info])

    def model_list(self, provider: SimProvider, query: Query) -> dict[str, Any]:
        models, token = page_of(
            provider.models, query("pageSize"), query("pageToken"), default_size=50
        )
        entries = [self.model_entry(provider, model) for model in models]
        return {"models": entries, **({"nextPageToken": token} if token else {})}

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        return {
            "name": f"models/{model.id}",
            "version": "001",
            "displayName": model.name,
            "description": "A simulated model.",
            "inputTokenLimit": model.context_tokens,
            "outputTokenLimit": model.max_output_tokens,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
        }


def _error(code: int, message: str, details: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "status": _STATUS.get(code, "UNKNOWN"),
    }
    if details:
        error["details"] = details
    return {"error": error}

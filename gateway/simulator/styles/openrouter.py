"""OpenRouter: headers only on refusals, an epoch in ms for the reset, integer error codes."""

from __future__ import annotations

from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.base import (
    LISTED_AT,
    Problem,
    ProblemKind,
    Reply,
    Style,
    View,
    limit_text,
)
from gateway.simulator.styles.paged import Query
from gateway.simulator.windows import Refusal
from gateway.types import Unit, Window

_PER = {Window.MINUTE: "min", Window.DAY: "day"}


class OpenRouterStyle(Style):
    def refused(self, refusal: Refusal, view: View) -> Reply:
        limit = refusal.standing.limit
        per = _PER.get(limit.window)
        text = limit_text(refusal)
        if per and limit.unit is Unit.REQUESTS:
            text = f"Rate limit exceeded: free-models-per-{per}."
        headers = [
            ("x-ratelimit-limit", str(limit.amount)),
            ("x-ratelimit-remaining", str(refusal.standing.remaining)),
        ]
        if refusal.wait_us is not None:
            free_at_ms = -(-(int(view.now_s * 1_000_000) + refusal.wait_us) // 1_000)
            headers.append(("x-ratelimit-reset", str(free_at_ms)))
        shown = {name.title().replace("Ratelimit", "RateLimit"): value for name, value in headers}
        error = {
            "message": text,
            "code": 429,
            "metadata": {"headers": shown, "provider_name": None},
        }
        return Reply(429, {"error": error, "user_id": "user_simulated"}, headers)

    def error_body(self, problem: Problem) -> dict[str, Any]:
        error: dict[str, Any] = {"message": problem.message, "code": problem.status}
        if problem.kind is ProblemKind.WRONG_KEY:
            error["message"] = "No auth credentials found"
        elif problem.kind in (ProblemKind.SERVER, ProblemKind.THROTTLED):
            error["metadata"] = {"provider_name": "SimulatedHost", "raw": problem.message}
            error["message"] = "Provider returned error"
        elif problem.kind is ProblemKind.CONTEXT_TOO_LONG:
            error["metadata"] = {"error_type": "context_length_exceeded"}
        return {"error": error}

    def model_list(self, provider: SimProvider, query: Query) -> dict[str, Any]:
        return {"data": [self.model_entry(provider, model) for model in provider.models]}

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        inputs = ["text", "image"] if model.modality == "vision" else ["text"]
        is_free = model.id.endswith(":free")
        price = "0" if is_free else "0.0000001"
        return {
            "id": model.id,
            "canonical_slug": model.id.removesuffix(":free"),
            "hugging_face_id": None,
            "name": f"{provider.name}: {model.name}{' (free)' if is_free else ''}",
            "created": LISTED_AT,
            "description": "A simulated model.",
            "context_length": model.context_tokens,
            "architecture": {
                "modality": f"{'+'.join(inputs)}->text",
                "input_modalities": inputs,
                "output_modalities": ["text"],
                "tokenizer": "Other",
                "instruct_type": None,
            },
            "pricing": {"prompt": price, "completion": price, "request": "0", "image": "0"},
            "top_provider": {
                "context_length": model.context_tokens,
                "max_completion_tokens": model.max_output_tokens,
                "is_moderated": False,
            },
            "per_request_limits": None,
            "supported_parameters": ["max_tokens", "temperature", "top_p", "stop", "seed"],
        }

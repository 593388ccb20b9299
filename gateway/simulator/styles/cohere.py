"""Cohere: trial headers on success only, a flat body with an id."""

from __future__ import annotations

import uuid
from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.base import Headers, Problem, ProblemKind, Reply, Style, View
from gateway.simulator.styles.paged import Query, page_of
from gateway.simulator.windows import Refusal
from gateway.types import Unit, Window

_NAMESPACE = uuid.UUID("c0ffee00-0000-4000-8000-000000000000")


class CohereStyle(Style):
    def admitted_headers(self, view: View) -> Headers:
        headers: Headers = []
        if month := view.find(Unit.REQUESTS, Window.MONTH):
            headers.append(("x-endpoint-monthly-call-limit", str(month.limit.amount)))
        if minute := view.find(Unit.REQUESTS, Window.MINUTE):
            headers.append(("x-trial-endpoint-call-limit", str(minute.limit.amount)))
            headers.append(("x-trial-endpoint-call-remaining", str(minute.remaining)))
        return headers

    def refused(self, refusal: Refusal, view: View) -> Reply:
        limit = refusal.standing.limit
        what = "API calls" if limit.unit is Unit.REQUESTS else "tokens"
        text = (
            f"You are using a Trial key, which is limited to {limit.amount} {what} / "
            f"{limit.window}. You can continue to use the Trial key for free or upgrade to a "
            "Production key."
        )
        return Reply(429, self.error_body(Problem(ProblemKind.THROTTLED, 429, text)))

    def error_body(self, problem: Problem) -> dict[str, Any]:
        message = problem.message
        if problem.kind is ProblemKind.WRONG_KEY:
            message = "invalid api token"
        return {"id": str(uuid.uuid5(_NAMESPACE, message)), "message": message}

    def model_list(self, provider: SimProvider, query: Query) -> dict[str, Any]:
        models, token = page_of(
            provider.models, query("page_size"), query("page_token"), default_size=20
        )
        entries = [self.model_entry(provider, model) for model in models]
        return {"models": entries, "next_page_token": token}

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        return {
            "name": model.id,
            "is_deprecated": False,
            "endpoints": ["chat"],
            "finetuned": False,
            "context_length": model.context_tokens,
            "tokenizer_url": None,
            "default_endpoints": [],
            "features": ["tools"] if "tool-use" in model.specialties else [],
        }

"""SambaNova: plain names for the minute, `-day` for the day, resets as Unix seconds."""

from __future__ import annotations

from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.base import Headers, Problem, ProblemKind, Reply, Style, View
from gateway.simulator.windows import Refusal
from gateway.types import Unit, Window


class SambaNovaStyle(Style):
    def admitted_headers(self, view: View) -> Headers:
        headers: Headers = []
        for suffix, window in (("", Window.MINUTE), ("-day", Window.DAY)):
            if one := view.find(Unit.REQUESTS, window):
                reset_s = -(-(int(view.now_s * 1_000_000) + one.reset_us) // 1_000_000)
                headers += [
                    (f"x-ratelimit-limit-requests{suffix}", str(one.limit.amount)),
                    (f"x-ratelimit-remaining-requests{suffix}", str(one.remaining)),
                    (f"x-ratelimit-reset-requests{suffix}", str(reset_s)),
                ]
        return headers

    def refused(self, refusal: Refusal, view: View) -> Reply:
        body = self.error_body(Problem(ProblemKind.THROTTLED, 429, "Rate limit exceeded"))
        return Reply(429, body, self.admitted_headers(view))

    def error_body(self, problem: Problem) -> dict[str, Any]:
        body = super().error_body(problem)
        if problem.kind is ProblemKind.THROTTLED:
            body["error"]["type"] = "rate_limit_error"
        return body

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        return {
            **super().model_entry(provider, model),
            "context_length": model.context_tokens,
            "max_completion_tokens": model.max_output_tokens,
            "pricing": {"prompt": "0.00", "completion": "0.00", "duration": "0.00"},
            "sn_metadata": {},
        }

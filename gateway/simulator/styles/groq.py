"""Groq: the request headers describe the day, the token headers the minute."""

from __future__ import annotations

from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.base import (
    Headers,
    Problem,
    ProblemKind,
    Reply,
    Style,
    View,
    retry_after,
)
from gateway.simulator.windows import Refusal
from gateway.types import Unit, Window

_SECOND_MS = 1_000
_DESCRIBED = ((Unit.REQUESTS, Window.DAY), (Unit.TOKENS, Window.MINUTE))


class GroqStyle(Style):
    def admitted_headers(self, view: View) -> Headers:
        found = [(str(unit), view.find(unit, window)) for unit, window in _DESCRIBED]
        known = [(name, one) for name, one in found if one is not None]
        return [
            *((f"x-ratelimit-limit-{name}", str(one.limit.amount)) for name, one in known),
            *((f"x-ratelimit-remaining-{name}", str(one.remaining)) for name, one in known),
            *((f"x-ratelimit-reset-{name}", go_duration(one.reset_us)) for name, one in known),
        ]

    def refused(self, refusal: Refusal, view: View) -> Reply:
        limit = refusal.standing.limit
        per = f"on {limit.unit} per {limit.window} ({limit.name.upper()}): Limit {limit.amount}"
        error = {"type": str(limit.unit), "code": "rate_limit_exceeded"}
        if refusal.wait_us is None:
            text = (
                f"Request too large for model `{view.model.id}` {per}, "
                f"Requested {refusal.cost}, please reduce your message size and try again."
            )
            # the real service sends a retry-after here too, and it never helps
            headers = [("retry-after", str(limit.window.seconds + 5))]
            return Reply(413, {"error": {"message": text, **error}}, headers)
        text = (
            f"Rate limit reached for model `{view.model.id}` in organization `org_simulated` "
            f"service tier `on_demand` {per}, Used {refusal.standing.used}, "
            f"Requested {refusal.cost}. Please try again in {go_duration(refusal.wait_us)}."
        )
        headers = [retry_after(refusal.wait_us), *self.admitted_headers(view)]
        return Reply(429, {"error": {"message": text, **error}}, headers)

    def error_body(self, problem: Problem) -> dict[str, Any]:
        error = dict(super().error_body(problem)["error"])
        del error["param"]
        if problem.kind is ProblemKind.SERVER:
            error = {"message": problem.message, "type": "internal_server_error"}
        return {"error": error}

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        return {
            **super().model_entry(provider, model),
            "owned_by": provider.name,
            "active": True,
            "context_window": model.context_tokens,
            "public_apps": None,
            "max_completion_tokens": model.max_output_tokens,
        }


def go_duration(span_us: int) -> str:
    """As Go prints it: `370ms`, `6s`, `2m59.56s`, `1h1m55.2s`. Rounded up to the millisecond."""
    total_ms = -(-span_us // 1_000)
    if total_ms < _SECOND_MS:
        return f"{total_ms}ms" if total_ms else "0s"
    minutes, ms = divmod(total_ms, 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{ms / _SECOND_MS:.3f}".rstrip("0").rstrip(".")
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"

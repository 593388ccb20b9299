"""The plain OpenAI habits; a provider's own style overrides what differs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.simulator.scenario import SimModel, SimProvider
from gateway.simulator.styles.paged import Query
from gateway.simulator.windows import SECOND_US, Refusal, Standing
from gateway.types import Unit, Window

Headers = list[tuple[str, str]]
LISTED_AT = 1_790_000_000  # a fixed `created`, so that lists are reproducible


class ProblemKind(StrEnum):
    """Why a provider does not answer, limits aside."""

    WRONG_KEY = "wrong_key"
    NO_PERMISSION = "no_permission"
    NO_CREDIT = "no_credit"
    UNKNOWN_MODEL = "unknown_model"
    BAD_REQUEST = "bad_request"
    CONTEXT_TOO_LONG = "context_too_long"
    TOO_LARGE = "too_large"
    THROTTLED = "throttled"  # a scripted 429; real ones come from the limits
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Problem:
    kind: ProblemKind
    status: int
    message: str
    param: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer with a JSON body."""

    status: int
    body: Mapping[str, Any] | list[Any]
    headers: Sequence[tuple[str, str]] = ()

    def encoded(self) -> bytes:
        return json.dumps(self.body).encode()


_CODES: dict[ProblemKind, tuple[str, str]] = {
    ProblemKind.WRONG_KEY: ("invalid_request_error", "invalid_api_key"),
    ProblemKind.NO_PERMISSION: ("permission_error", "permission_denied"),
    ProblemKind.NO_CREDIT: ("insufficient_quota", "insufficient_quota"),
    ProblemKind.UNKNOWN_MODEL: ("invalid_request_error", "model_not_found"),
    ProblemKind.BAD_REQUEST: ("invalid_request_error", "invalid_request"),
    ProblemKind.CONTEXT_TOO_LONG: ("invalid_request_error", "context_length_exceeded"),
    ProblemKind.TOO_LARGE: ("invalid_request_error", "request_too_large"),
    ProblemKind.THROTTLED: ("requests", "rate_limit_exceeded"),
    ProblemKind.SERVER: ("server_error", "internal_error"),
}


@dataclass(frozen=True, slots=True)
class View:
    """What a provider knows when it answers one request."""

    model: SimModel
    standings: Sequence[Standing]
    now_s: float  # Unix time
    is_stream: bool

    def find(self, unit: Unit, window: Window) -> Standing | None:
        """How one dimension stands; the tightest where several pools count it."""
        wanted = (unit, window)
        matching = [s for s in self.standings if (s.limit.unit, s.limit.window) == wanted]
        return min(matching, key=lambda one: one.remaining, default=None)


class Style:
    """Pure translation: facts in, headers and bodies out."""

    def admitted_headers(self, view: View) -> Headers:
        """Rate headers of an answer."""
        return []

    def refused(self, refusal: Refusal, view: View) -> Reply:
        problem = Problem(ProblemKind.THROTTLED, 429, limit_text(refusal))
        headers = [] if refusal.wait_us is None else [retry_after(refusal.wait_us)]
        return Reply(429, self.error_body(problem), headers)

    def problem(self, problem: Problem) -> Reply:
        headers: Headers = []
        if problem.retry_after_s is not None:
            headers.append(("retry-after", f"{problem.retry_after_s:g}"))
        return Reply(self.status(problem), self.error_body(problem), headers)

    def status(self, problem: Problem) -> int:
        return problem.status

    def error_body(self, problem: Problem) -> dict[str, Any]:
        kind, code = _CODES[problem.kind]
        error = {"message": problem.message, "type": kind, "param": problem.param, "code": code}
        return {"error": error}

    def model_list(self, provider: SimProvider, query: Query) -> dict[str, Any]:
        """The answer to a request for the list; `query` tells which page, where it has pages."""
        data = [self.model_entry(provider, model) for model in provider.models]
        return {"object": "list", "data": data}

    def model_entry(self, provider: SimProvider, model: SimModel) -> dict[str, Any]:
        return {
            "id": model.id,
            "object": "model",
            "created": LISTED_AT,
            "owned_by": provider.slug,
        }


def retry_after(wait_us: int) -> tuple[str, str]:
    """Whole seconds, rounded up: who waits exactly as told is let in."""
    return "retry-after", str(max(1, math.ceil(wait_us / SECOND_US)))


def limit_text(refusal: Refusal) -> str:
    limit = refusal.standing.limit
    return (
        f"Rate limit exceeded: {limit.amount} {limit.unit} per {limit.window}, "
        f"used {refusal.standing.used}, requested {refusal.cost}."
    )

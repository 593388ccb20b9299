"""NLP Cloud: no rate headers, and one sentence for everything that goes wrong."""

from __future__ import annotations

from typing import Any

from gateway.simulator.styles.base import Problem, ProblemKind, Reply, Style, View
from gateway.simulator.windows import Refusal

_SENTENCES = {
    ProblemKind.WRONG_KEY: "Invalid token.",
    ProblemKind.THROTTLED: "Too Many Requests",
    ProblemKind.SERVER: "The model is temporarily unavailable.",
}


class NLPCloudStyle(Style):
    def refused(self, refusal: Refusal, view: View) -> Reply:
        return Reply(429, {"detail": _SENTENCES[ProblemKind.THROTTLED]})

    def error_body(self, problem: Problem) -> dict[str, Any]:
        return {"detail": _SENTENCES.get(problem.kind, problem.message)}

"""What the page tells of a run's attempts."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from django.template.loader import render_to_string

from gateway.types import Attempt, Outcome
from playground.models import Conversation, Run, RunState
from playground.presenting import ShownRun

ANSWERS = "Heron 7B on Sim"
WREN = "Wren 8B on Sim"
OWL = "Owl 9B on Sim"


def attempt(label: str, outcome: Outcome, detail: str = "") -> dict[str, object]:
    model, _, provider = label.rpartition(" on ")
    return asdict(Attempt(provider, model, label, outcome, detail=detail))


def shown(*trail: dict[str, object], label: str = ANSWERS, **fields: object) -> ShownRun:
    run = Run(pk=1, conversation=Conversation(pk=1), label=label, trail=list(trail))
    for name, value in fields.items():
        setattr(run, name, value)
    return ShownRun(run)


@pytest.mark.parametrize(
    ("trail", "models"),
    [
        ([attempt(ANSWERS, Outcome.ANSWERED)], []),
        ([attempt(ANSWERS, Outcome.CANCELLED)], []),
        ([attempt(ANSWERS, Outcome.CUT)], []),
        ([attempt(ANSWERS, Outcome.TIMEOUT), attempt(ANSWERS, Outcome.ANSWERED)], []),
        ([attempt(WREN, Outcome.CANCELLED), attempt(ANSWERS, Outcome.ANSWERED)], []),
        ([attempt(WREN, Outcome.RATE_LIMITED), attempt(ANSWERS, Outcome.CANCELLED)], ["Wren 8B"]),
        (
            [
                attempt(WREN, Outcome.UNAVAILABLE),
                attempt(WREN, Outcome.TIMEOUT),
                attempt(OWL, Outcome.THROTTLED),
                attempt(ANSWERS, Outcome.ANSWERED),
            ],
            ["Wren 8B", "Owl 9B"],
        ),
    ],
)
def test_falling_back_counts_models(trail: list[dict[str, object]], models: list[str]) -> None:
    """Other models that failed count once each; a stop and a retry of the same one do not."""
    run = shown(*trail)
    assert [one.model for one in run.fell_back_from] == models
    head = render_to_string("playground/_answer_head.html", {"shown": run})
    assert ("fell back" in head) == bool(models)


def test_a_run_that_nobody_answered_fell_back_to_nobody() -> None:
    """Where all have failed there is no model to have fallen back to."""
    run = shown(attempt(WREN, Outcome.TIMEOUT), label="", state=RunState.FAILED)
    assert run.fell_back_from == []


def test_why_tells_of_the_choice_and_then_of_the_fallback() -> None:
    """The panel explains who was chosen, and says who answered instead and what had failed."""
    failure = attempt(WREN, Outcome.THROTTLED, "Sim refused: too many calls just now.")
    pick = {"model": "Wren 8B", "provider": "Sim", "score": 80, "is_best": True, "parts": {}}
    run = shown(failure, attempt(ANSWERS, Outcome.ANSWERED), pick=pick)
    html = render_to_string("playground/_why.html", {"shown": run})
    texts = ["Why Wren 8B", "Chosen by FreeLLM", f"fell back to {ANSWERS}", "Sim refused: too many"]
    assert sorted(texts, key=html.index) == texts


def test_a_run_without_fallback_tells_only_of_the_choice() -> None:
    """Nothing amber where the first choice answered."""
    run = shown(attempt(ANSWERS, Outcome.ANSWERED), pick={"model": "Heron 7B", "parts": {}})
    assert "fell back" not in render_to_string("playground/_why.html", {"shown": run})

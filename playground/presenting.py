"""A run as the page shows it: its answer as HTML, its attempts on one time axis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.safestring import SafeString

from gateway.types import Outcome
from playground.failures import Failure, failures
from playground.forms import TASK_LABELS
from playground.models import Run, RunState
from playground.rendering import render_markdown

SHOWN_ARGUMENTS = 20_000  # characters

_WORDS: dict[Outcome, str] = {
    Outcome.ANSWERED: "answered",
    Outcome.CANCELLED: "stopped here",
    Outcome.RATE_LIMITED: "held back here: its quota would have made you wait too long",
    Outcome.CIRCUIT_OPEN: "held back here: it failed too often lately",
    Outcome.QUEUE_FULL: "held back here: too many calls wait already",
    Outcome.DEADLINE_PASSED: "no time was left to ask it",
    Outcome.NOT_CONFIGURED: "its key or address is missing",
    Outcome.NOT_CACHED: "no cached answer",
    Outcome.TIMEOUT: "took too long",
    Outcome.UNAVAILABLE: "failed or could not be reached",
    Outcome.THROTTLED: "refused outside: too many calls just now",
    Outcome.QUOTA_EXHAUSTED: "refused outside: its quota is used up",
    Outcome.AUTH_REJECTED: "refused outside: the key is wrong",
    Outcome.FORBIDDEN: "refused outside: the key may not use this model",
    Outcome.MODEL_GONE: "the model is gone",
    Outcome.INVALID_REQUEST: "refused outside: it does not accept this request",
    Outcome.CONTEXT_TOO_LONG: "refused outside: the prompt is too long for it",
    Outcome.CONTENT_BLOCKED: "refused outside by its content filter",
    Outcome.MALFORMED: "answered nonsense",
    Outcome.CUT: "broke off in the middle",
}
_HELD_BACK = {
    Outcome.RATE_LIMITED, Outcome.CIRCUIT_OPEN, Outcome.QUEUE_FULL, Outcome.DEADLINE_PASSED,
    Outcome.NOT_CONFIGURED, Outcome.NOT_CACHED, Outcome.CANCELLED, Outcome.THROTTLED,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One attempt; lane figures are per cent of the axis."""

    model: str
    provider: str
    tone: str
    shape: str
    words: str
    duration_s: float | None  # None while it runs
    wait_x: float
    wait_width: float
    busy_x: float
    busy_width: float


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A tool that the model wants called."""

    name: str
    arguments: str


@dataclass(frozen=True)
class ShownRun:
    """What templates ask of a run."""

    run: Run

    @cached_property
    def html(self) -> SafeString:
        return render_markdown(self.run.answer)

    @cached_property
    def tool_calls(self) -> list[ShownCall]:
        return [ShownCall(one["name"], _indented(one["arguments"])) for one in self.run.tool_calls]

    @cached_property
    def label(self) -> tuple[str, str]:
        """Model and provider: of who answers, else of who was to."""
        if self.run.label:
            return _split(self.run.label)
        return str(self.run.pick.get("model", "")), str(self.run.pick.get("provider", ""))

    @cached_property
    def task(self) -> str:
        label = dict(TASK_LABELS).get(self.run.task, self.run.task)  # type: ignore[call-overload]  # a StrEnum's key
        return f"{self.run.complexity} task: {label.lower()}"

    @cached_property
    def axis_s(self) -> float:
        """The length of the trail's time axis."""
        ends = [one["started_s"] + one["duration_s"] for one in self.run.trail]
        return float(max([0.1, self._elapsed_s, *ends]))

    @cached_property
    def rows(self) -> list[TrailRow]:
        rows = [_row(one, self.axis_s) for one in self.run.trail]
        if self.run.state == RunState.RUNNING:
            rows.append(self._running_row())
        return rows

    @cached_property
    def fell_back_from(self) -> list[TrailRow]:
        """The first failure of each other model that was tried before the one that answers."""
        if not self.run.label:
            return []
        first: dict[str, TrailRow] = {}
        for one in self.run.trail:
            is_failure = one["outcome"] not in {Outcome.ANSWERED, Outcome.CANCELLED}
            if is_failure and one["label"] != self.run.label:
                first.setdefault(one["label"], _row(one, self.axis_s))
        return list(first.values())

    @cached_property
    def failures(self) -> list[Failure]:
        """Why nobody answered, target by target."""
        return failures(self.run.trail, self.run.started_at or self.run.created_at, timezone.now())

    @cached_property
    def failed_in_words(self) -> str:
        """One sentence; what happened with each target follows it."""
        if not self.failures:
            return self.run.error
        if self.run.answer:
            return f"The answer of {self.run.label} broke off. Nobody else was asked to go on."
        if len(self.failures) == 1:
            return f"{self.failures[0].label} did not answer."
        return f"Nobody answered: {len(self.failures)} models were asked."

    @property
    def reasons(self) -> Sequence[Any]:
        reasons = self.run.pick.get("reasons", [])
        return reasons if isinstance(reasons, list) else []

    @property
    def _elapsed_s(self) -> float:
        if self.run.is_over or self.run.started_at is None:
            return self.run.duration_s or 0.0
        return (timezone.now() - self.run.started_at).total_seconds()

    def _running_row(self) -> TrailRow:
        begun = max([0.0, *(one["started_s"] + one["duration_s"] for one in self.run.trail)])
        first = self.run.first_token_s
        until = self._elapsed_s if first is None else first
        model, provider = self.label
        words = "waiting for its first token" if first is None else "streaming"
        return TrailRow(
            model=model,
            provider=provider,
            tone="info",
            shape="full",
            words=words if self.run.label else "asked, no answer yet",
            duration_s=None,
            wait_x=_share(begun, self.axis_s),
            wait_width=_share(until - begun, self.axis_s),
            busy_x=_share(until, self.axis_s),
            busy_width=_share(self._elapsed_s - until, self.axis_s),
        )


def _indented(arguments: str) -> str:
    """JSON in lines where it is whole, else as it came; cut where it is endless."""
    if len(arguments) > SHOWN_ARGUMENTS:
        return f"{arguments[:SHOWN_ARGUMENTS]}…"
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _row(attempt: dict[str, Any], axis_s: float) -> TrailRow:
    outcome = Outcome(attempt["outcome"])
    begun, length = attempt["started_s"], attempt["duration_s"]
    wait_s = attempt["limiter_wait_s"]
    if attempt["first_token_s"] is not None:
        wait_s = max(wait_s, attempt["first_token_s"])
    wait_s = min(wait_s, length)
    model, provider = _split(attempt["label"])
    return TrailRow(
        model=model,
        provider=provider,
        tone=_tone(outcome),
        shape="full" if outcome is Outcome.ANSWERED else "hollow",
        words=attempt["detail"] or _WORDS[outcome],
        duration_s=length,
        wait_x=_share(begun, axis_s),
        wait_width=_share(wait_s, axis_s),
        busy_x=_share(begun + wait_s, axis_s),
        # A refusal within a millisecond is still to be seen.
        busy_width=max(1.0, _share(length - wait_s, axis_s)),
    )


def _tone(outcome: Outcome) -> str:
    if outcome is Outcome.ANSWERED:
        return "info"
    return "warn" if outcome in _HELD_BACK else "bad"


def _split(label: str) -> tuple[str, str]:
    model, _, provider = label.rpartition(" on ")
    return (model, provider) if model else (label, "")


def _share(part_s: float, axis_s: float) -> float:
    return round(100 * max(0.0, part_s) / axis_s, 1)

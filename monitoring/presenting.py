"""Calls and attempts as a page shows them: a shape, a tone, words, places on one time axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.choices import all_chosen
from catalog.models import Model, Offer
from gateway.types import Attempt, Outcome
from monitoring.forms import OUTCOME_WORDS
from monitoring.models import CallRecord, Course
from monitoring.owners import owner_names
from monitoring.series import tokens_per_s

_LOOKS = {
    Course.FIRST: ("full", "ok"),
    Course.CACHE: ("full", "idle"),
    Course.FALLBACK: ("half", "warn"),
    Course.FAILED: ("hollow", "bad"),
    Course.CANCELLED: ("unknown", "idle"),
}
_COURSE_WORDS = {
    Course.FIRST: "Answered",
    Course.CACHE: "From cache",
    Course.FALLBACK: "Fell back",
    Course.CANCELLED: "Cancelled",
}
_SHORTEST_S = 0.0005  # below it a phase would read as 0 ms
_LEAST_WIDTH = 0.6  # per cent: what took no time is still to be seen


@dataclass(frozen=True, slots=True)
class CallRow:
    call: CallRecord
    provider_name: str
    model_name: str
    owner_name: str

    @property
    def glyph(self) -> str:
        return _LOOKS[Course(self.call.course)][0]

    @property
    def tone(self) -> str:
        return _LOOKS[Course(self.call.course)][1]

    @property
    def tokens_per_s(self) -> float | None:
        if self.call.cached:
            return None
        call = self.call
        return tokens_per_s(call.completion_tokens, call.duration_s, call.first_token_s)

    @property
    def prompt_tokens(self) -> int | None:
        return self.call.prompt_tokens if self.call.is_usage_known else None

    @property
    def completion_tokens(self) -> int | None:
        return self.call.completion_tokens if self.call.is_usage_known else None

    @property
    def word(self) -> str:
        """The course, and for a failed call why."""
        return _COURSE_WORDS.get(Course(self.call.course)) or outcome_word(self.call.outcome)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an attempt on the call's time axis; place and width in per cent."""

    key: str  # the class of its bar
    words: str
    seconds: float
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One attempt on the call's time axis."""

    attempt: Attempt
    phases: list[Phase]

    @property
    def glyph(self) -> str:
        if self.attempt.outcome is Outcome.ANSWERED:
            return "full"
        return "unknown" if self.attempt.outcome is Outcome.CANCELLED else "hollow"

    @property
    def tone(self) -> str:
        if self.attempt.outcome is Outcome.ANSWERED:
            return "info"
        return "idle" if self.attempt.outcome is Outcome.CANCELLED else "bad"

    @property
    def word(self) -> str:
        return outcome_word(self.attempt.outcome)


def outcome_word(outcome: str) -> str:
    return OUTCOME_WORDS.get(str(outcome), str(outcome))


def call_rows(calls: Sequence[CallRecord], provider_names: Mapping[str, str]) -> list[CallRow]:
    """With the names the catalog and the accounts know, in a query each; else the ids."""
    owners = owner_names(call.owner for call in calls)
    offers = Offer.objects.filter(
        external_id__in={call.model for call in calls},
        provider__slug__in={call.provider for call in calls},
    )
    every = all_chosen()
    names = {
        (slug, external_id): every.of(Model, model).name or name
        for slug, external_id, model, name in offers.values_list(
            "provider__slug", "external_id", "model", "model__name"
        )
    }
    return [
        CallRow(
            call,
            provider_names.get(call.provider, call.provider),
            names.get((call.provider, call.model), call.model),
            owners[call.owner],
        )
        for call in calls
    ]


def lanes(call: CallRecord) -> tuple[list[Lane], float]:
    """The attempts of a call, and the length of their axis in seconds."""
    trail = call.trail
    ends = [one.started_s + one.duration_s for one in trail]
    axis_s = max([call.duration_s, *ends, 0.001])
    return [Lane(one, _phases(one, axis_s)) for one in trail], axis_s


def _phases(attempt: Attempt, axis_s: float) -> list[Phase]:
    """What it spent its time with, in order; what took none, or was not measured, is left out."""
    drawn, from_s = [], 0.0
    for key, words, until_s in _borders(attempt):
        to_s = min(max(until_s, from_s), attempt.duration_s)
        if to_s - from_s >= _SHORTEST_S:
            left = min((attempt.started_s + from_s) / axis_s * 100, 100 - _LEAST_WIDTH)
            width = max((to_s - from_s) / axis_s * 100, _LEAST_WIDTH)
            drawn.append(Phase(key, words, to_s - from_s, round(left, 2), round(width, 2)))
            from_s = to_s
    return drawn


def _borders(attempt: Attempt) -> Iterator[tuple[str, str, float]]:
    """Where each phase ends, in seconds from the attempt's start."""
    sent_s = attempt.limiter_wait_s if attempt.sent_s is None else attempt.sent_s
    was_sent = attempt.sent_s is not None or attempt.was_sent
    yield "queued", "waited for its turn", max(sent_s - attempt.limiter_wait_s, 0.0)
    yield "wait", "held by the limiter", sent_s
    if attempt.head_s is not None:
        yield "connect", "until the response began", attempt.head_s
    if attempt.first_token_s is not None:
        yield "first", "until the first token", attempt.first_token_s
        yield "rest", "the answer came", attempt.duration_s
    else:
        yield "first", "without an answer" if was_sent else "not sent", attempt.duration_s

"""Calls and attempts as a page shows them: a shape, a tone, words, places on one time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.models import Offer
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
class Lane:
    """One attempt on the call's time axis; places and widths in per cent."""

    attempt: Attempt
    wait: tuple[float, float]  # in the limiter's queue
    first: tuple[float, float]  # until the first token
    rest: tuple[float, float]

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
    names = {
        (slug, external_id): name
        for slug, external_id, name in offers.values_list(
            "provider__slug", "external_id", "model__name"
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
    return [_lane(one, axis_s) for one in trail], axis_s


def _lane(attempt: Attempt, axis_s: float) -> Lane:
    end_s = attempt.started_s + attempt.duration_s
    sent_s = min(attempt.started_s + attempt.limiter_wait_s, end_s)
    first_s = end_s
    if attempt.first_token_s is not None:
        first_s = min(max(attempt.started_s + attempt.first_token_s, sent_s), end_s)

    def part(from_s: float, to_s: float) -> tuple[float, float]:
        if to_s <= from_s:
            return (0.0, 0.0)
        left = min(from_s / axis_s * 100, 100 - _LEAST_WIDTH)
        return (round(left, 2), round(max((to_s - from_s) / axis_s * 100, _LEAST_WIDTH), 2))

    return Lane(
        attempt,
        wait=part(attempt.started_s, sent_s),
        first=part(sent_s, first_s),
        rest=part(first_s, end_s),
    )

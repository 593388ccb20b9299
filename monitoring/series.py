"""Calls counted in steps of time: one shape for the live minutes and for the database's months."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self

from monitoring.models import ANSWERED_COURSES, Course
from monitoring.sketch import Sketch, bucket_of
from monitoring.subjects import EVERYTHING, Subject

Column = list[float | None]
Measure = Literal["duration_s", "first_token_s", "tokens_per_s"]


class Timing(NamedTuple):
    """How long one answer of a provider took, in the sketches' buckets; None: not measured."""

    duration: int
    first_token: int | None
    speed: int | None

    @classmethod
    def of(cls, duration_s: float, first_token_s: float | None, completion_tokens: int) -> Self:
        speed = tokens_per_s(completion_tokens, duration_s, first_token_s)
        return cls(
            bucket_of(duration_s),
            None if first_token_s is None else bucket_of(first_token_s),
            None if speed is None else bucket_of(speed),
        )


@dataclass(slots=True)
class Step:
    """What happened within one step, or in all of them together.

    The sketches time answers of providers; cached ones are not timed, they would flatter.
    """

    courses: dict[str, int] = field(default_factory=dict)
    throttled: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_s: Sketch = field(default_factory=Sketch)
    first_token_s: Sketch = field(default_factory=Sketch)
    tokens_per_s: Sketch = field(default_factory=Sketch)

    @property
    def calls(self) -> int:
        return sum(self.courses.values())

    @property
    def answered(self) -> int:
        return sum(self.courses.get(course, 0) for course in ANSWERED_COURSES)

    @property
    def cached(self) -> int:
        return self.courses.get(Course.CACHE, 0)

    @property
    def failed(self) -> int:
        return self.courses.get(Course.FAILED, 0)

    @property
    def answered_share(self) -> float | None:
        """Answered of those not cancelled by their caller; None when there were none."""
        wanted = self.calls - self.courses.get(Course.CANCELLED, 0)
        return self.answered / wanted if wanted else None

    @property
    def cached_share(self) -> float | None:
        return self.cached / self.calls if self.calls else None

    @property
    def throttled_share(self) -> float | None:
        """Refusals with a 429, per call that went out; above one where calls met several."""
        sent = self.calls - self.cached
        return self.throttled / sent if sent else None

    def percentile(self, measure: Measure, share: float) -> float | None:
        """None where nothing was measured."""
        sketch: Sketch = getattr(self, measure)
        return sketch.percentile(share)

    def count(self, course: str, *, throttled: int, prompt: int, completion: int) -> None:
        """One call more."""
        self.courses[course] = self.courses.get(course, 0) + 1
        self.throttled += throttled
        self.prompt_tokens += prompt
        self.completion_tokens += completion

    def time(self, timing: Timing) -> None:
        """One answer of a provider more."""
        self.duration_s.add_to(timing.duration)
        if timing.first_token is not None:
            self.first_token_s.add_to(timing.first_token)
        if timing.speed is not None:
            self.tokens_per_s.add_to(timing.speed)

    def merge(self, other: Step) -> None:
        for course, count in other.courses.items():
            self.courses[course] = self.courses.get(course, 0) + count
        self.throttled += other.throttled
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.duration_s.merge(other.duration_s)
        self.first_token_s.merge(other.first_token_s)
        self.tokens_per_s.merge(other.tokens_per_s)


@dataclass(frozen=True, slots=True)
class Series:
    """Steps of equal length, oldest first; the last one is still running."""

    step_s: int
    first_s: int  # Unix time at which the first step starts
    steps: Sequence[Step]

    @property
    def starts(self) -> list[int]:
        return [self.first_s + number * self.step_s for number in range(len(self.steps))]

    def total(self) -> Step:
        return merged(self.steps)

    def columns(self) -> dict[str, Column]:
        """What charts and tables show, by the name that each trace carries."""
        steps = self.steps
        courses: dict[str, Column] = {
            str(course): [step.courses.get(course, 0) for step in steps] for course in Course
        }
        return {
            **courses,
            "answered_share": [_percent(step.answered_share) for step in steps],
            "cached_share": [_percent(step.cached_share) for step in steps],
            "throttled_share": [_percent(step.throttled_share) for step in steps],
            **{
                name: [_rounded(step.percentile(measure, share)) for step in steps]
                for name, (measure, share) in PERCENTILES.items()
            },
            "prompt_tokens": [step.prompt_tokens for step in steps],
            "completion_tokens": [step.completion_tokens for step in steps],
            "throttled": [step.throttled for step in steps],
        }


# The columns that are percentiles: of what, and which.
PERCENTILES: Mapping[str, tuple[Measure, float]] = {
    "p50": ("duration_s", 0.5),
    "p95": ("duration_s", 0.95),
    "p99": ("duration_s", 0.99),
    "first_token": ("first_token_s", 0.5),
    "first_token_p95": ("first_token_s", 0.95),
    "first_token_p99": ("first_token_s", 0.99),
    "speed": ("tokens_per_s", 0.5),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """The same steps for everything together and for some providers, models, keys or owners."""

    step_s: int
    first_s: int
    rows: Mapping[Subject, Sequence[Step]]
    length: int

    def series(self, subject: Subject = EVERYTHING) -> Series:
        steps = self.rows.get(subject) or [Step() for _ in range(self.length)]
        return Series(self.step_s, self.first_s, steps)

    @property
    def has_calls(self) -> bool:
        return bool(self.rows)


def merged(steps: Iterable[Step]) -> Step:
    whole = Step()
    for step in steps:
        whole.merge(step)
    return whole


def tokens_per_s(
    completion_tokens: int, duration_s: float, first_token_s: float | None
) -> float | None:
    """Speed after the first token; None where there is nothing to measure."""
    if first_token_s is None or completion_tokens < 2:  # noqa: PLR2004 - one token has no speed
        return None
    streaming_s = duration_s - first_token_s
    return completion_tokens / streaming_s if streaming_s > 0.001 else None  # noqa: PLR2004 - below a millisecond it is noise


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)

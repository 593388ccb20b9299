"""Calls counted in steps of time: one shape for the live minutes and for the database's days."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitoring.models import ANSWERED_COURSES, Course

Column = list[float | None]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one answer of a provider took; cached answers are not timed, they would flatter."""

    duration_s: float
    first_token_s: float | None = None
    tokens_per_s: float | None = None


@dataclass(slots=True)
class Step:
    """What happened within one step, or in all of them together."""

    courses: dict[str, int] = field(default_factory=dict)
    throttled: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    timings: list[Timing] = field(default_factory=list)

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

    def percentile(self, name: str, share: float) -> float | None:
        """Of `duration_s`, `first_token_s` or `tokens_per_s`, where it was measured."""
        values = [value for one in self.timings if (value := getattr(one, name)) is not None]
        return percentile(values, share)

    def merge(self, other: Step) -> None:
        for course, count in other.courses.items():
            self.courses[course] = self.courses.get(course, 0) + count
        self.throttled += other.throttled
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.timings.extend(other.timings)


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
            "p50": [_rounded(step.percentile("duration_s", 0.5)) for step in steps],
            "p95": [_rounded(step.percentile("duration_s", 0.95)) for step in steps],
            "first_token": [_rounded(step.percentile("first_token_s", 0.5)) for step in steps],
            "prompt_tokens": [step.prompt_tokens for step in steps],
            "completion_tokens": [step.completion_tokens for step in steps],
            "throttled": [step.throttled for step in steps],
        }


@dataclass(frozen=True, slots=True)
class Picture:
    """The same steps for every provider; "" stands for calls that reached none."""

    step_s: int
    first_s: int
    by_provider: Mapping[str, Sequence[Step]]
    length: int

    def series(self, provider: str = "") -> Series:
        """One provider's steps, or all providers' together."""
        if provider:
            steps = self.by_provider.get(provider) or [Step() for _ in range(self.length)]
        else:
            rows = list(self.by_provider.values())
            steps = [merged(row[number] for row in rows) for number in range(self.length)]
        return Series(self.step_s, self.first_s, steps)

    @property
    def providers(self) -> list[str]:
        return sorted(name for name in self.by_provider if name)


def merged(steps: Iterable[Step]) -> Step:
    whole = Step()
    for step in steps:
        whole.merge(step)
    return whole


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile: always a value that was measured; None without any."""
    if not values:
        return None
    rank = max(math.ceil(share * len(values)), 1)
    return sorted(values)[rank - 1]


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

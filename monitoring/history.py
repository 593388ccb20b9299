"""The picture of a span of time, read from the call records in two queries."""

from __future__ import annotations

from collections import defaultdict

from monitoring.models import CallRecord, Course
from monitoring.ranges import Range
from monitoring.series import Picture, Step, Timing, tokens_per_s


def picture_of(range_: Range, now_s: float) -> Picture:
    """Counts are exact; percentiles come from at most `TIMINGS_AT_MOST` answers."""
    first_s = range_.first_s(now_s)
    by_provider: dict[str, list[Step]] = defaultdict(lambda: [Step() for _ in range(range_.length)])
    for row in CallRecord.objects.counted_by_step(range_, first_s):
        # A call of another process' clock may lie ahead of ours: it belongs to the last step.
        step = by_provider[row["provider"]][min(row["step"], range_.length - 1)]
        step.courses[row["course"]] = row["calls"]
        step.throttled += row["throttled"]
        step.prompt_tokens += row["prompt"]
        step.completion_tokens += row["completion"]
    _add_timings(by_provider, range_, first_s)
    return Picture(range_.step_s, first_s, by_provider, range_.length)


def _add_timings(by_provider: dict[str, list[Step]], range_: Range, first_s: int) -> None:
    answered = sum(
        step.answered - step.courses.get(Course.CACHE, 0)
        for steps in by_provider.values()
        for step in steps
    )
    if not answered:
        return
    for at_s, provider, duration_s, first_token_s, tokens in CallRecord.objects.timed(
        first_s, answered
    ):
        number = min((at_s - first_s) // range_.step_s, range_.length - 1)
        by_provider[provider][number].timings.append(
            Timing(duration_s, first_token_s, tokens_per_s(tokens, duration_s, first_token_s))
        )

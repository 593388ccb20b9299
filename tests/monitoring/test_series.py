"""Steps, sums and percentiles: what the charts draw is what was measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring import sparks
from monitoring.models import Course
from monitoring.ranges import DAY, RANGES
from monitoring.series import Picture, Step, Timing, percentile, tokens_per_s

seconds = st.floats(min_value=0, max_value=1e6)


@given(st.lists(seconds, min_size=1), st.floats(min_value=0, max_value=1))
def test_a_percentile_is_a_measured_value(values: list[float], share: float) -> None:
    """Nearest rank: one of the values, and that share of all values is not above it."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= math.ceil(share * len(values))


def test_no_values_have_no_percentile() -> None:
    """Nothing measured is nothing, not zero."""
    assert percentile([], 0.5) is None


@given(st.integers(min_value=0, max_value=2**40))
def test_the_last_step_is_the_running_one(now_s: int) -> None:
    """Every range ends with the step that `now` lies in."""
    for one in RANGES.values():
        last_s = one.first_s(now_s) + (one.length - 1) * one.step_s
        assert last_s <= now_s < last_s + one.step_s


def test_cancelled_calls_do_not_count_against_success() -> None:
    """Who hangs up has not been refused."""
    step = Step(courses={Course.FIRST: 3, Course.FAILED: 1, Course.CANCELLED: 6})

    assert step.answered_share == 0.75
    assert Step(courses={Course.CANCELLED: 6}).answered_share is None


def test_all_providers_together_are_the_sum() -> None:
    """The whole picture is the sum of its providers, step by step."""
    picture = Picture(
        DAY.step_s,
        0,
        {
            "sparrow": [Step({Course.FIRST: 1}, timings=[Timing(1.0)]), Step()],
            "wagtail": [Step({Course.FAILED: 2}, throttled=1), Step({Course.CACHE: 1})],
        },
        2,
    )

    assert [step.calls for step in picture.series().steps] == [3, 1]
    assert picture.series("wagtail").total().throttled == 1
    assert picture.series("nobody").total().calls == 0
    assert picture.series().columns()["p50"] == [1.0, None]


@pytest.mark.parametrize(
    ("tokens", "duration_s", "first_token_s", "expected"),
    [(100, 1.5, 0.5, 100.0), (100, 1.0, None, None), (1, 2.0, 1.0, None), (100, 1.0, 1.0, None)],
)
def test_speed_is_measured_after_the_first_token(
    tokens: int, duration_s: float, first_token_s: float | None, expected: float | None
) -> None:
    """Tokens over the time they streamed; None where nothing streamed."""
    assert tokens_per_s(tokens, duration_s, first_token_s) == expected


@given(st.lists(st.one_of(st.none(), seconds)))
def test_a_spark_stays_in_its_box(values: list[float | None]) -> None:
    """Whatever the values, no point lies outside the drawing."""
    path = sparks.line(values).path
    numbers = [float(number) for number in path[1:].split()]
    assert all(0 <= x <= sparks.WIDTH for x in numbers[::2])
    assert all(0 <= y <= sparks.HEIGHT for y in numbers[1::2])
    for bar in sparks.bars([value or 0 for value in values]).bars:
        assert 0 <= bar.y <= bar.y + bar.height <= sparks.HEIGHT + 0.01

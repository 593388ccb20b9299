"""Steps, sums and percentiles: what the charts draw is what was measured."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring import sparks
from monitoring.models import Course
from monitoring.ranges import DAY, RANGES
from monitoring.series import Picture, Step, Timing, tokens_per_s
from monitoring.sketch import ERROR, Sketch
from monitoring.subjects import EVERYTHING, Kind, Subject

seconds = st.floats(min_value=0, max_value=1e6)
measured = st.lists(st.floats(min_value=0.001, max_value=1e5))


@given(st.lists(measured, min_size=1, max_size=4), st.floats(min_value=0, max_value=1))
def test_a_percentile_of_what_was_added_up(parts: list[list[float]], share: float) -> None:
    """The nearest rank of all values, at most ERROR off, whatever was counted where."""
    whole = Sketch()
    for part in parts:
        whole.merge(Sketch.from_plain(Sketch(part).to_plain()))
    values = sorted(value for part in parts for value in part)
    found = whole.percentile(share)

    assert whole == Sketch(values)
    if not values:
        assert found is None
        return
    exact = values[max(math.ceil(share * len(values)), 1) - 1]
    assert found == pytest.approx(exact, rel=ERROR * 1.001)


@given(measured, st.floats(min_value=0.001, max_value=1e5))
def test_counts_up_to_a_bound(values: list[float], bound: float) -> None:
    """As histograms want it: those clearly below are in, those clearly above are not."""
    found = Sketch(values).count_up_to(bound)
    assert sum(value <= bound for value in values) <= found
    assert found <= sum(value <= bound * (1 + 3 * ERROR) for value in values)


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


def test_a_picture_shows_whoever_is_asked_for() -> None:
    """Everything together, one of them, or somebody of whom nothing is known."""
    timed = Step({Course.FIRST: 1})
    timed.time(Timing.of(1.0, None, 0))
    wagtail = Subject(Kind.PROVIDER, "wagtail")
    refused = Step({Course.FAILED: 2}, throttled=1)
    picture = Picture(DAY.step_s, 0, {EVERYTHING: [timed, refused], wagtail: [Step(), refused]}, 2)

    assert [step.calls for step in picture.series().steps] == [1, 2]
    assert picture.series(wagtail).total().throttled == 1
    assert picture.series(Subject(Kind.PROVIDER, "nobody")).total().calls == 0
    assert picture.series().columns()["p50"] == [pytest.approx(1.0, rel=ERROR * 1.01), None]


def test_a_429_is_told_per_call_that_went_out() -> None:
    """What a cache answered could not be refused."""
    step = Step({Course.FIRST: 3, Course.FAILED: 1, Course.CACHE: 6}, throttled=2)

    assert step.throttled_share == 0.5
    assert Step({Course.CACHE: 6}).throttled_share is None


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
    bars = sparks.bars([value or 0 for value in values], [True, False]).bars
    for x, height, width in re.findall(r"M([\d.]+) 22v-([\d.]+)h([\d.]+)V22z", bars):
        assert 0 <= float(x) <= float(x) + float(width) <= sparks.WIDTH + 0.5
        assert 0 < float(height) <= sparks.HEIGHT
    assert bars.count("M") + (bool(values) and bool(values[0])) == sum(map(bool, values))

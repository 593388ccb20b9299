"""Numbers and times read as the pages promise."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from freellm_site.lib import format as formats
from freellm_site.lib.format import MISSING, SPACE, THIN

NOW = datetime(2026, 11, 22, 14, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (0.25, "0.25"),
        (2.5, "2.5"),
        (9_999, f"9{THIN}999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (99_960, "100k"),
        (999_999, "1M"),
        (912_000_000, "912M"),
        (1_000_000_000, "1B"),
        (-12_345, "-12.3k"),
        (None, MISSING),
        (math.nan, MISSING),
    ],
)
def test_quantities(value: float | None, text: str) -> None:
    """Ten thousand and more are shortened, less has all digits, nothing is an en dash."""
    assert formats.quantity(value) == text


def test_short_quantities() -> None:
    """Where space is short, a thousand is shortened already."""
    assert [formats.quantity(n, short=True) for n in (940, 3_412, 1_000)] == ["940", "3.4k", "1k"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0004, "0 ms"),
        (0.088, "88 ms"),
        (0.0996, "0.1 s"),
        (0.31, "0.31 s"),
        (0.8, "0.8 s"),
        (2.14, "2.1 s"),
        (12.4, "12 s"),
        (59.7, "1 min"),
        (90, "1 min 30 s"),
        (120, "2 min"),
        (3_599.9, "1 h"),
        (19_080, "5 h 18 min"),
        (86_400, "1 d"),
        (None, MISSING),
        (-1, MISSING),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    """Milliseconds below a tenth of a second, then at most two units."""
    assert formats.seconds(value).replace(SPACE, " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.93, "93 %"), (0.986, "98.6 %"), (0, "0 %"), (1, "100 %"), (None, MISSING)],
)
def test_shares(value: float | None, text: str) -> None:
    """A share has a figure, a space and its sign."""
    assert formats.percent(value).replace(SPACE, " ") == text


@given(st.floats(min_value=1e-9, max_value=1 - 1e-9))
def test_a_share_is_never_rounded_to_all_or_nothing(fraction: float) -> None:
    """What failed once in a million calls does not read as 100 %."""
    assert formats.percent(fraction) not in {f"0{SPACE}%", f"100{SPACE}%"}


@given(st.floats(min_value=0, max_value=9e14))
def test_quantities_have_at_most_four_figures(value: float) -> None:
    """All digits below ten thousand, three significant ones above."""
    figures = re.sub(r"\D", "", formats.quantity(value).lstrip("0."))
    assert len(figures) <= (4 if value < 10_000 else 3)


@given(st.floats(allow_nan=True, allow_infinity=True))
@example(math.inf)
@example(1.7e305)
def test_any_float_has_a_text(value: float) -> None:
    """No figure, however absurd, breaks a page."""
    for write in (formats.quantity, formats.seconds, formats.percent, formats.file_size):
        assert write(value)


@given(st.floats(min_value=0, max_value=1e7))
def test_durations_never_show_a_full_unit(value: float) -> None:
    """There is no "60 s" and no "60 min"."""
    text = formats.seconds(value).replace(SPACE, " ")
    assert not re.search(r"\b(60 s|60 min|24 h|1000 ms)\b", text)


@pytest.mark.parametrize(
    ("size", "text"), [(812, "812 B"), (1_200, "1.2 kB"), (4_194_304, "4.2 MB"), (None, MISSING)]
)
def test_file_sizes(size: int | None, text: str) -> None:
    """Bytes are counted in thousands."""
    assert formats.file_size(size).replace(SPACE, " ") == text


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=8), "8 s ago"),
        (timedelta(minutes=2, seconds=59), "2 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"),
        (timedelta(hours=25), "yesterday"),
        (timedelta(days=3), "19 Nov"),
        (timedelta(days=400), "18 Oct 2025"),
        (timedelta(minutes=-5), "in 5 min"),
        (timedelta(days=-9), "1 Dec"),
    ],
)
def test_ages(age: timedelta, text: str) -> None:
    """Relative up to a day, then "yesterday", then the date."""
    assert formats.ago(NOW - age, NOW).replace(SPACE, " ") == text


def test_a_missing_moment_has_no_age() -> None:
    """What never happened is an en dash."""
    assert formats.ago(None, NOW) == formats.clock(None) == MISSING


def test_absolute_times_carry_their_zone() -> None:
    """A clock time without a zone would be a guess."""
    assert formats.absolute(NOW) == "2026-11-22 14:21 UTC"
    assert formats.clock(NOW) == f"14:21{SPACE}UTC"


def test_a_missing_figure_has_no_unit() -> None:
    """An en dash stands alone."""
    assert formats.with_unit("468", "tok/s") == f"468{SPACE}tok/s"
    assert formats.with_unit(MISSING, "tok/s") == MISSING

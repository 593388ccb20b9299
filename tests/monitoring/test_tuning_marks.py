"""Changes of the policy are seen on the charts, where and when they touch what is drawn."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from monitoring import charts
from monitoring.models import TuningChange, TuningStep
from monitoring.tuning.marks import MARKS_AT_MOST, marks_between

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def make_change(provider: str = "", minutes_ago: float = 1, **fields: object) -> TuningChange:
    change: TuningChange = TuningChange.objects.create(
        at=NOW - dt.timedelta(minutes=minutes_ago), who="mara", why="it was slow", **fields
    )
    TuningStep.objects.create(
        change=change, provider=provider, name="limiter.max_wait_s", old=None, new=3
    )
    return change


def between(minutes: float = 60, provider: str = "") -> list[charts.Mark]:
    end_s = NOW.timestamp()
    return marks_between(end_s - minutes * 60, end_s, provider)


def test_a_mark_says_what_was_changed_by_whom() -> None:
    """With the old value, the new one and the reason, at the moment in the site's zone."""
    change = make_change()
    (mark,) = between()
    local = change.at.astimezone(timezone.get_current_timezone())
    assert mark.at == f"{local:%Y-%m-%d %H:%M:%S}"
    assert "as above → 3\u00a0s" in mark.text
    assert "mara: it was slow" in mark.text


def test_a_provider_s_chart_shows_what_touches_it() -> None:
    """Changes of everything, and its own; not another's, and none from before."""
    make_change()
    make_change("sparrow")
    make_change("wren")
    make_change("sparrow", minutes_ago=90)
    assert len(between(provider="sparrow")) == 2
    assert len(between()) == 3


def test_there_is_a_most(django_assert_num_queries: object) -> None:
    """The newest of very many, in one query."""
    for _ in range(MARKS_AT_MOST + 5):
        make_change()
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture
        assert len(between()) == MARKS_AT_MOST


def test_marks_are_drawn_into_a_figure() -> None:
    """One line and one wedge each; what people wrote cannot become markup."""
    blank = charts.figure_fields(charts.SPEED, ["2026-01-01 00:00:00"], {"speed": [1.0]})
    marked = charts.with_marks(blank, [charts.Mark("2026-01-01 00:00:00", "<b>1</b>\n2")])
    (line,), (wedge,) = marked["layout"]["shapes"], marked["layout"]["annotations"]
    assert line["x0"] == wedge["x"] == "2026-01-01 00:00:00"
    assert wedge["hovertext"] == "&lt;b&gt;1&lt;/b&gt;<br>2"

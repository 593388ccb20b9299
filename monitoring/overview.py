"""The front page's answer and its figures of today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from catalog.models import Change, Offer, Refresh, RefreshState
from freellm_site.lib import format as formats
from monitoring import sparks
from monitoring.health import ProviderHealth, State
from monitoring.series import Picture, merged
from monitoring.sparks import Spark
from monitoring.subject_rows import SubjectRow

CHANGES_SHOWN = 5
CHANGES_FROM = timedelta(days=7)
_FASTEST_SHOWN = 2


@dataclass(frozen=True, slots=True)
class TrendTile:
    """A figure of today, and how it went in the last 24 hours."""

    label: str
    text: str
    note: str
    spark: Spark

    @property
    def figure(self) -> str:
        return self.text.partition(formats.SPACE)[0]

    @property
    def unit(self) -> str:
        return self.text.partition(formats.SPACE)[2]


@dataclass(frozen=True, slots=True)
class CatalogNews:
    refreshed_at: datetime | None
    models: int
    offers: int
    changes: list[Change]
    change_count: int


def headline(healths: Sequence[ProviderHealth], *, has_calls: bool, may_ask: bool = True) -> str:
    """The answer to: can I call something now?"""
    if not healths:
        return "No provider can be called yet"
    if not has_calls:
        return "No calls yet: try a prompt" if may_ask else "No calls yet"
    if all(one.state is State.UNKNOWN for one in healths):
        return f"{len(healths)} providers may be called, how they stand is not known"
    answering = sum(one.answers_now for one in healths)
    kind = "simulated " if all(one.is_simulated for one in healths) else ""
    noun = "provider" if len(healths) == 1 else "providers"
    verb = "answers" if answering == 1 else "answer"
    return f"{answering} of {len(healths)} {kind}{noun} {verb} now"


def catalog_news() -> CatalogNews:
    recent = Change.objects.filter(at__gte=timezone.now() - CHANGES_FROM)
    done = Refresh.objects.filter(state=RefreshState.DONE, provider=None)
    listed = Offer.objects.listed_size()
    return CatalogNews(
        refreshed_at=done.order_by("-finished_at").values_list("finished_at", flat=True).first(),
        models=listed.models,
        offers=listed.offers,
        changes=list(recent.select_related("provider", "offer__model")[:CHANGES_SHOWN]),
        change_count=recent.count(),
    )


def tiles_of_today(day: Picture, rows: Sequence[SubjectRow]) -> list[TrendTile]:
    """`day` covers 24 hours; the figures count from midnight in the site's zone."""
    series = day.series()
    steps, midnight_s = series.steps, _midnight_s()
    starts = zip(series.starts, steps, strict=True)
    today = merged(step for start_s, step in starts if start_s >= midnight_s)
    first_tokens = [step.percentile("first_token_s", 0.5) for step in steps]
    speeds = [step.percentile("tokens_per_s", 0.5) for step in steps]
    throttled = [step.throttled for step in steps]
    return [
        TrendTile(
            "Calls today",
            formats.quantity(today.calls),
            f"{formats.quantity(series.total().calls)} in 24 h",
            sparks.line([step.calls for step in steps]),
        ),
        TrendTile(
            "Answered",
            formats.percent(today.answered_share),
            f"{formats.quantity(today.failed)} failed after all attempts",
            sparks.line([step.answered_share for step in steps], highest=1),
        ),
        TrendTile(
            "First token, p50",
            formats.seconds(today.percentile("first_token_s", 0.5)),
            f"p95 {formats.seconds(today.percentile('first_token_s', 0.95))}",
            sparks.line(first_tokens),
        ),
        TrendTile(
            "Speed, p50",
            formats.with_unit(formats.quantity(today.percentile("tokens_per_s", 0.5)), "tok/s"),
            _fastest(rows),
            sparks.line(speeds),
        ),
        TrendTile(
            "Served by a cache",
            formats.percent(today.cached_share),
            f"{formats.counted(today.cached, 'call')}, no quota spent",
            sparks.line([step.cached_share for step in steps], highest=1),
        ),
        TrendTile(
            "429 from outside",
            formats.quantity(today.throttled),
            f"in {formats.counted(today.calls - today.cached, 'call')} that went out",
            sparks.bars(throttled, [True] * len(throttled)),
        ),
    ]


def _fastest(rows: Sequence[SubjectRow]) -> str:
    timed = [(row.tokens_per_s, row.name) for row in rows if row.tokens_per_s is not None]
    fastest = sorted(timed, reverse=True)[:_FASTEST_SHOWN]
    return ", ".join(f"{name} {formats.quantity(speed, short=True)}" for speed, name in fastest)


def _midnight_s() -> float:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.timestamp()

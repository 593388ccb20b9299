"""Live limits, looked at once a second while somebody looks at them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from asgiref.sync import sync_to_async
from django.http import QueryDict
from django.template.loader import render_to_string

from gateway.client import Gateway
from gateway.limiter.survey import PoolName, PoolView, Survey
from monitoring import live
from monitoring.charts import Mark
from monitoring.limits.detail import PoolDetail
from monitoring.limits.listing import PoolListing, headline
from monitoring.limits.pools import Watched, watched
from monitoring.limits.refusals import RefusedOutside
from monitoring.limits.rows import PoolRow, asked_name, pool_rows
from monitoring.sampling import KEPT_S, Sample
from monitoring.tuning.marks import marks_between


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: how the quotas stood, and whose they are."""

    survey: Survey
    watched: Watched
    marks: Sequence[Mark] = ()  # changes of the policy meanwhile


class LimitsSampler:
    """Of the list of quotas, and of one of them where the address names it."""

    name = "limits"

    def __init__(self) -> None:
        self._last: Mapping[PoolName, PoolView] = {}

    async def sample(self, gateway: Gateway) -> Seen:
        known = await sync_to_async(watched)()
        survey = await gateway.survey(known.targets)
        # Five minutes of looks hold a quota in which nothing happened once.
        pools = {
            name: kept if (kept := self._last.get(name)) == view else view
            for name, view in survey.pools.items()
        }
        self._last = pools
        marks = await sync_to_async(marks_between)(survey.at_s - KEPT_S, survey.at_s)
        return Seen(replace(survey, pools=pools), known, marks)

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        if not samples:
            return {}
        if "pool" in asked:
            detail = detail_of(samples, asked_name(asked))
            return detail.state() if detail else {}
        rows = rows_of(samples)
        shown = PoolListing.of(rows, asked)
        return {
            "texts": {"headline": headline(rows)},
            "parts": {
                "rows": render_to_string("monitoring/_limit_rows.html", {"shown": shown}),
                "states": render_to_string("monitoring/_limit_states.html", {"shown": shown}),
            },
        }


def rows_of(samples: Sequence[Sample]) -> list[PoolRow]:
    """Every quota by the newest look."""
    seen: Seen = samples[-1].value
    return pool_rows(seen.survey, seen.watched.pools, _refusals())


def detail_of(samples: Sequence[Sample], name: PoolName) -> PoolDetail | None:
    """One quota over the minutes that were looked at; None where there is no such."""
    seen: Seen = samples[-1].value
    facts = seen.watched.pools.get(name)
    if facts is None or name not in seen.survey.pools:
        return None
    refusals = [
        one
        for one in _refusals()
        if (one.provider, one.key_id) == (name.provider, name.key_id) and one.model in facts.models
    ]
    surveys = [one.value.survey for one in samples]
    return PoolDetail.of(facts, surveys, refusals, seen.marks)


def _refusals() -> list[RefusedOutside]:
    reader = live.current()
    return reader.refusals.since(time.time() - KEPT_S) if reader else []


LIMITS = LimitsSampler()

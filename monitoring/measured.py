"""How each offer did in the calls of the last week, for the catalog's pages."""

from __future__ import annotations

import time
from collections import defaultdict

from catalog.measured import Measured, OfferName
from monitoring.models import Course, Rollup
from monitoring.rollups import STEP_FIELDS, step_of
from monitoring.series import Step
from monitoring.subjects import Kind

_OVER_S = 7 * 86_400
_STEP_S = 86_400


def last_week() -> dict[OfferName, Measured]:
    """One row is read for each offer and day with calls; what a cache answered is left out."""
    since_s = int(time.time()) - _OVER_S
    rows = Rollup.objects.filter(step_s=_STEP_S, kind=Kind.MODEL, at_s__gte=since_s)
    steps: dict[OfferName, Step] = defaultdict(Step)
    for row in rows.order_by().values("provider", "name", *STEP_FIELDS):
        steps[row["provider"], row["name"]].merge(step_of(row))
    return {name: _measured(step) for name, step in steps.items() if step.calls > step.cached}


def _measured(step: Step) -> Measured:
    step.courses.pop(Course.CACHE, None)
    return Measured(
        calls=step.calls,
        answered_share=step.answered_share,
        first_token_s=step.percentile("first_token_s", 0.5),
        tokens_per_s=step.percentile("tokens_per_s", 0.5),
    )

"""Changes of the policy as marks on the charts: what was tuned while the figures changed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

from django.utils import timezone

from monitoring.charts import Mark
from monitoring.models import TuningStep
from monitoring.tuning.wording import words_of

# Of more changes than that in one chart only the newest are drawn.
MARKS_AT_MOST = 40
_STEPS_TOLD = 4


def marks_between(since_s: float, until_s: float, provider: str = "") -> list[Mark]:
    """Those that touched `provider` or everything; for `charts.with_marks`. One query."""
    since, until = (datetime.fromtimestamp(one, UTC) for one in (since_s, until_s))
    steps = TuningStep.objects.filter(change__at__gte=since, change__at__lte=until)
    if provider:
        steps = steps.filter(provider__in=("", provider))
    by_change: dict[int, list[TuningStep]] = defaultdict(list)
    newest = steps.select_related("change").order_by("-change_id", "pk")
    for step in newest[: MARKS_AT_MOST * _STEPS_TOLD * 4]:
        by_change[step.change_id].append(step)
    zone = timezone.get_current_timezone()
    return [
        Mark(
            at=steps[0].change.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
            text=_told(steps),
        )
        for steps in list(by_change.values())[:MARKS_AT_MOST]
    ]


def _told(steps: list[TuningStep]) -> str:
    change = steps[0].change
    lines = [_step(one) for one in steps[:_STEPS_TOLD]]
    if len(steps) > _STEPS_TOLD:
        lines.append(f"and {len(steps) - _STEPS_TOLD} more")
    return "\n".join([*lines, f"{change.who}: {change.why}" if change.why else change.who])


def _step(step: TuningStep) -> str:
    told = words_of(step)
    return f"{step.scope.label}: {told.label} {told.old} → {told.new}"

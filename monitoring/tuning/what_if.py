"""What if it were tuned like that: the last hour or day once more, by the proposed limits.

A replay is kept in Redis for an hour, because nothing of it is worth more; a short one is done at
once, a long one by a worker.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.cache import cache

from gateway.limiter.replay import PastCall, Replayed, replay
from gateway.policy import Scope, StaticPolicy
from gateway.store import Store, StoreAwayError
from monitoring.models import CallRecord
from monitoring.ranges import DAY, HOUR, Range
from monitoring.tuning.changes import changed, overrides_in_force, version_in_force
from monitoring.tuning.drafts import draft_of
from monitoring.tuning.past import Past, recorded_since

SPANS = {one.key: one for one in (HOUR, DAY)}
AT_ONCE_AT_MOST = 300  # calls that are replayed well within a second
_KEPT_S = 3_600
_WAITED_FROM_S = 0.05  # less is the way to Redis
_US = 1_000_000

logger = logging.getLogger(__name__)


@dataclass
class WhatIf:
    """`fields` are the form's, as they were typed; `result` is there once it is done."""

    id: str
    span: str
    fields: dict[str, str]
    state: str = "queued"  # queued, running, done, failed
    done: int = 0
    total: int = 0
    detail: str = ""
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.state in {"done", "failed"}

    @property
    def range(self) -> Range:
        return SPANS[self.span]

    def keep(self) -> None:
        cache.set(_key(self.id), asdict(self), _KEPT_S)


def find(job: str) -> WhatIf | None:
    kept: dict[str, Any] | None = cache.get(_key(job))
    return WhatIf(**kept) if kept else None


def begin(fields: Mapping[str, str], span: str) -> tuple[WhatIf, bool]:
    """A replay to be run, and whether it is short enough to be run at once."""
    range_ = SPANS.get(span, HOUR)
    job = WhatIf(secrets.token_urlsafe(12), range_.key, dict(fields))
    recent = CallRecord.objects.filter(at_s__gte=int(time.time()) - range_.span_s)
    count = recent.order_by().values("pk")[: AT_ONCE_AT_MOST + 1].count()
    job.keep()
    return job, count <= AT_ONCE_AT_MOST


def run(job: WhatIf) -> None:
    """Whatever happens, it ends as done or failed."""
    try:
        _run(job)
        job.state = "done"
    except StoreAwayError:
        job.state, job.detail = "failed", "Redis is away; a replay needs it."
    except Exception:
        logger.exception("A replay of the past broke off")
        job.state, job.detail = "failed", "It broke off; the log says why."
    job.keep()


def _run(job: WhatIf) -> None:
    now_s, in_force = time.time(), overrides_in_force()
    scope = Scope(job.fields.get("provider", ""), job.fields.get("model", ""))
    draft = draft_of(job.fields, scope, in_force, version_in_force())
    since_s = job.range.first_s(now_s)
    past = recorded_since(since_s)
    job.state, job.total = "running", 2 * len(past.calls)
    job.keep()

    def hear(done: int) -> None:
        job.done = done
        job.keep()

    policies = [StaticPolicy(overrides=in_force)]
    policies.append(StaticPolicy(overrides=changed(in_force, draft.edits)))
    as_is, proposed = async_to_sync(_replays)(job.id, policies, past.calls, hear)
    job.result = {
        "count": len(past.calls),
        "is_cut": past.is_cut,
        "since_s": past.calls[0].at_us // _US if past.calls else since_s,
        **_columns(job.range, since_s, past, as_is, proposed),
        "rows": _rows(past, as_is, proposed),
    }


async def _replays(
    name: str,
    policies: Sequence[StaticPolicy],
    calls: Sequence[PastCall],
    hear: Callable[[int], None],
) -> list[list[Replayed]]:
    """Side by side: what they ask Redis at the same moment goes there in one trip."""
    done = [0] * len(policies)

    def tell(number: int, at: int) -> None:
        done[number] = at
        hear(sum(done))

    async with Store(settings.REDIS_URL) as store:
        return await asyncio.gather(
            *(
                replay(store, policy, calls, f"{name}{number}", partial(tell, number))
                for number, policy in enumerate(policies)
            )
        )


def _columns(
    range_: Range,
    since_s: int,
    past: Past,
    as_is: Sequence[Replayed],
    proposed: Sequence[Replayed],
) -> dict[str, Any]:
    starts = [since_s + step * range_.step_s for step in range(range_.length)]
    columns: dict[str, list[int]] = {}
    for name, fared in (("was", past.fared), ("as_is", as_is), ("proposed", proposed)):
        through, refused, waited = ([0] * range_.length for _ in range(3))
        for call, one in zip(past.calls, fared, strict=True):
            came = (call.at_us // _US - since_s) // range_.step_s
            went = int((call.at_us / _US + one.waited_s - since_s) // range_.step_s)
            if one.place is None:
                refused[_within(came, range_)] += 1
            else:
                through[_within(went, range_)] += 1
            waited[_within(came, range_)] += one.waited_s >= _WAITED_FROM_S
        columns |= {f"{name}_through": through, f"{name}_refused": refused}
        columns[f"{name}_waited"] = waited
    return {"starts": starts, "columns": columns}


def _within(step: int, range_: Range) -> int:
    return min(max(step, 0), range_.length - 1)


def _rows(
    past: Past, as_is: Sequence[Replayed], proposed: Sequence[Replayed]
) -> list[dict[str, Any]]:
    """As it was, replayed as it is tuned now, replayed as proposed."""
    fared = (past.fared, as_is, proposed)
    waits = [[one.waited_s for one in each if one.waited_s >= _WAITED_FROM_S] for each in fared]
    counts = {
        "Let through": [sum(one.place is not None for one in each) for each in fared],
        "By their first target": [sum(one.place == 0 for one in each) for each in fared],
        "By a fallback": [sum(bool(one.place) for one in each) for each in fared],
        "Refused here": [sum(one.place is None for one in each) for each in fared],
        "Waited for a quota": [len(each) for each in waits],
    }
    seconds = {
        "Wait of those, p95": [_p95(each) for each in waits],
        "Longest wait": [max(each, default=None) for each in waits],
    }
    outside = {"label": "Refused outside (429)", "kind": "count"}
    return [
        *({"label": label, "kind": "count", "figures": values} for label, values in counts.items()),
        *({"label": label, "kind": "s", "figures": values} for label, values in seconds.items()),
        {**outside, "figures": [past.throttled, None, None]},
    ]


def _p95(values: Sequence[float]) -> float | None:
    """Nearest rank: one of the values."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1] if values else None


def _key(job: str) -> str:
    return f"what-if:{job}"

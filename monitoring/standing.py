"""What holds calls back just now, for a line on the page of traffic."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.resilience.breaker_rules import BreakerState
from monitoring.breakers.rows import Seen
from monitoring.breakers.sampler import BREAKERS
from monitoring.queueing.sampler import QUEUE, QueueSample
from monitoring.sampling import newest


@dataclass(frozen=True, slots=True)
class Standing:
    """None: not known, because Redis is away and nothing was seen before."""

    open_breakers: int | None
    waiting: int | None


def standing() -> Standing:
    """As the pages of breakers and of the queue saw it last."""
    breakers, _ = newest(BREAKERS)
    queue, _ = newest(QUEUE)
    return Standing(
        _open(breakers[-1].value) if breakers else None,
        _waiting(queue[-1].value) if queue else None,
    )


def _open(seen: Seen) -> int:
    return sum(one.state is BreakerState.OPEN for one in seen.survey.breakers.values())


def _waiting(sample: QueueSample) -> int:
    return sum(lane.waiting for one in sample.queues.processes for lane in one.lanes)

"""The pages that look at the engine: one sampler each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from monitoring.breakers.sampler import BREAKERS
from monitoring.caching.sampler import CACHE
from monitoring.limits.sampler import LIMITS
from monitoring.queueing.sampler import QUEUE
from monitoring.sampling import Sampler, sampling
from monitoring.tasking.sampler import TASKS

SAMPLERS: Sequence[Sampler] = (LIMITS, BREAKERS, CACHE, QUEUE, TASKS)


def watching() -> AbstractAsyncContextManager[None]:
    """Keep them running for as long as the web process lives."""
    return sampling(SAMPLERS)

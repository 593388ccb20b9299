"""How long to pause before the next attempt at the same target."""

from __future__ import annotations

import random

from gateway.policy import RetryPolicy


def pause_s(failures: int, policy: RetryPolicy, retry_after_s: float | None = None) -> float:
    """Full jitter: drawn evenly below a bound that doubles, so that callers do not return together.

    A wait the provider asked for is never undercut; the jitter comes on top of it.
    """
    bound = min(policy.cap_s, policy.base_s * 2 ** min(failures - 1, 30))
    drawn = random.uniform(0, bound)  # noqa: S311 - spread, not secrecy
    return drawn if retry_after_s is None else retry_after_s + drawn

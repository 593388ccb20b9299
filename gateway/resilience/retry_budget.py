"""A token bucket of retries per provider, as in Finagle's RetryBudget and gRPC's proposal A6.

Each first attempt puts a part of a token in, each further one takes a whole one out. It belongs to
the process, not to Redis: it is a share of the process' own calls, so the shares of all processes
add up to the same share of all calls, and no trip is needed.
"""

from __future__ import annotations

from gateway.policy import RetryPolicy


class RetryBudget:
    """Full at first, so that a rare failure is always tried again."""

    def __init__(self) -> None:
        self._tokens: dict[str, float] = {}

    def first_attempt(self, provider: str, policy: RetryPolicy) -> None:
        saved = self._saved(provider, policy) + policy.budget_ratio
        self._tokens[provider] = min(policy.budget_burst, saved)

    def take(self, provider: str, policy: RetryPolicy) -> bool:
        """Whether one more attempt is within the budget."""
        saved = self._saved(provider, policy)
        if saved < 1:
            return False
        self._tokens[provider] = saved - 1
        return True

    def _saved(self, provider: str, policy: RetryPolicy) -> float:
        return min(policy.budget_burst, self._tokens.get(provider, policy.budget_burst))

"""How many calls a provider bears at once, found by its latency and its refusals.

Latency: Gradient2 of Netflix' concurrency-limits (Gradient2Limit.java,
https://github.com/Netflix/concurrency-limits, as published in 2018): the number is multiplied by
what answers usually take over what they take now, and a few more are let in to see. Refusals and
timeouts: multiplicative decrease, as in its AIMDLimit.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy import DispatchPolicy

_BATCH = 10  # answers that are looked at together: the lengths of answers differ
_LONG_BATCHES = 60  # the usual latency is that of about so many batches
_SMOOTHING = 0.2
_HEADROOM = 4.0  # more calls than the present number, to find out whether they are borne
_STEEPEST = 0.5  # the number is at most halved by one batch
_BACKOFF = 0.9
_FORGET = 0.95  # once answers are twice as quick as usual, the usual was an overload's


@dataclass(slots=True)
class Concurrency:
    """The number for one provider in one process, between the bounds of the policy."""

    _found: float | None = None  # None: as many as the policy allows
    _usual_s: float = 0.0
    _batches: int = 0
    _sum_s: float = 0.0
    _count: int = 0
    _lowered_at: float = float("-inf")

    def limit(self, policy: DispatchPolicy) -> int:
        return int(self._bounded(self._found, policy))

    def answered(self, latency_s: float, running: int, policy: DispatchPolicy) -> None:
        self._sum_s += latency_s
        self._count += 1
        if self._count >= _BATCH:
            now_s = self._sum_s / self._count
            self._sum_s, self._count = 0.0, 0
            self._weigh(now_s, running, policy)

    def refused(self, started_at: float, now: float, policy: DispatchPolicy) -> None:
        """Refusals of calls that ran already at the last lowering tell nothing new."""
        if started_at < self._lowered_at:
            return
        self._lowered_at = now
        self._found = self._bounded(self._bounded(self._found, policy) * _BACKOFF, policy)

    def _weigh(self, now_s: float, running: int, policy: DispatchPolicy) -> None:
        usual_s = self._usual(now_s)
        before = self._bounded(self._found, policy)
        if running < before / 2:
            return  # so few calls say nothing of what it bears
        gradient = max(_STEEPEST, min(1.0, policy.latency_tolerance * usual_s / max(now_s, 1e-6)))
        aimed = before * gradient + _HEADROOM
        self._found = self._bounded(before + _SMOOTHING * (aimed - before), policy)

    def _usual(self, now_s: float) -> float:
        """An average over many batches, plain while there are few."""
        self._batches = min(self._batches + 1, _LONG_BATCHES)
        self._usual_s += (now_s - self._usual_s) / self._batches
        if self._usual_s > 2 * now_s:
            self._usual_s *= _FORGET
        return self._usual_s

    @staticmethod
    def _bounded(found: float | None, policy: DispatchPolicy) -> float:
        most = float(policy.provider_concurrency)
        return most if found is None else min(most, max(float(policy.least_concurrency), found))

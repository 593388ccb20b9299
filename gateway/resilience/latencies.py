"""How long the last answers of each offer took, in this process: when a call is late."""

from __future__ import annotations

import statistics
from collections import OrderedDict, deque

from gateway.types import Target

_SAMPLES = 200
_ENOUGH = 20  # below that nobody knows what is late
_OFFERS = 2_000
_PER_CENT = 95

Offer = tuple[str, str, bool]  # provider, model, whether it is streamed


class Latencies:
    def __init__(self) -> None:
        self._seen: OrderedDict[Offer, deque[float]] = OrderedDict()

    def note(self, target: Target, took_s: float, *, is_streamed: bool) -> None:
        offer = (target.provider, target.model, is_streamed)
        self._seen.setdefault(offer, deque(maxlen=_SAMPLES)).append(took_s)
        self._seen.move_to_end(offer)
        if len(self._seen) > _OFFERS:
            self._seen.popitem(last=False)

    def p95_s(self, target: Target, *, is_streamed: bool) -> float | None:
        """None where too little is known."""
        seen = self._seen.get((target.provider, target.model, is_streamed), ())
        if len(seen) < _ENOUGH:
            return None
        return statistics.quantiles(seen, n=100)[_PER_CENT - 1]

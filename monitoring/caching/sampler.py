"""How the cache stands, for its page."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.http import QueryDict
from django.template.loader import render_to_string

from gateway.cache.counts import DAY, HOUR, MINUTE, Span
from gateway.cache.entries import Amount
from gateway.cache.shelf import Room, Stock
from gateway.client import Gateway
from gateway.policy import Policy
from monitoring.caching.picture import PARTS, CachePicture
from monitoring.sampling import Sample

# How many steps of each span a chart can look back over, and how often they are read again.
SPANS = {MINUTE: (60, 2.0), HOUR: (168, 30.0), DAY: (90, 120.0)}
STOCK_EVERY_S = 5.0  # counting walks over the keys

Counters = Sequence[Mapping[str, int]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CacheSample:
    """`steps` are the counters of each span, oldest first, and when the first one begins."""

    steps: Mapping[Span, tuple[int, Counters]]
    amounts: Mapping[str, Mapping[str, Amount]]  # by tier, then kind; memory is this process'
    stock: Stock
    room: Room
    policy: Policy


class CacheSampler:
    name = "cache"

    def __init__(self) -> None:
        # What was read lately, by engine: who opens another one has other figures.
        self._read: WeakKeyDictionary[Gateway, dict[str, tuple[float, Any]]] = WeakKeyDictionary()

    def forget(self) -> None:
        """Something was removed: the next look reads everything anew."""
        self._read.clear()

    async def sample(self, gateway: Gateway) -> CacheSample:
        read = self._read.setdefault(gateway, {})
        cache = gateway.cache
        steps: dict[Span, tuple[int, Counters]] = {}
        for span, (count, every_s) in SPANS.items():
            ask = partial(_steps, gateway, span, count)
            steps[span] = await _lately(read, span.form, every_s, ask)
        return CacheSample(
            steps,
            await _lately(read, "amounts", STOCK_EVERY_S, cache.amounts),
            await _lately(read, "stock", STOCK_EVERY_S, cache.shelf.stock),
            await _lately(read, "room", STOCK_EVERY_S, cache.shelf.room),
            cache.policy,
        )

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        if not samples:
            return {}
        shown = CachePicture.asked(samples[-1].value, asked)
        context = {"shown": shown, "may_act": asked.get("act") == "1"}
        return {
            "texts": {"headline": shown.headline, "lookups": shown.lookups_in_words},
            "parts": {
                name: render_to_string(template, context) for name, template in PARTS.items()
            },
            "times": shown.times,
            "columns": shown.columns,
            "totals": shown.totals,
        }


CACHE = CacheSampler()


async def _lately(
    read: dict[str, tuple[float, Any]], what: str, every_s: float, ask: Callable[[], Awaitable[T]]
) -> T:
    at, value = read.get(what, (float("-inf"), None))
    if time.monotonic() - at >= every_s or value is None:
        value = await ask()
        read[what] = time.monotonic(), value
    found: T = value
    return found


async def _steps(gateway: Gateway, span: Span, count: int) -> tuple[int, Counters]:
    first_s = (int(time.time()) // span.seconds - count + 1) * span.seconds
    starts = [first_s + number * span.seconds for number in range(count)]
    return first_s, await gateway.cache.counters_of(span, starts)

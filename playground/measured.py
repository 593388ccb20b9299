"""How fast offers answered here: means, because a free quota gives too few calls for more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from catalog.engine import engine
from catalog.standing import Speeds
from gateway.cache.cache import Cache
from gateway.cache.kinds import BENCHMARK
from playground.models import Run

_OVER = timedelta(days=7)
_KEY = ("speeds", _OVER.days)

Rows = list[list[Any]]  # provider, model, seconds to the first token, tokens a second


async def measured() -> Speeds:
    """How soon and how fast each offer answered over the last week."""
    async with engine() as gateway:
        rows: Rows = await gateway.cache.get(BENCHMARK, _KEY, _read)
    return {(provider, model): (first, speed) for provider, model, first, speed in rows}


async def warm(cache: Cache) -> None:
    """So that nobody's prompt waits for the query."""
    await cache.warm(BENCHMARK, {_KEY: _read})


async def _read() -> Rows:
    since = timezone.now() - _OVER
    return [
        [row["provider"], row["model"], row["first_token"], row["speed"]]
        async for row in Run.objects.speeds_since(since)
    ]

"""How fast offers answered here: means, because a free quota gives too few calls for more."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from catalog.standing import Speeds
from playground.models import Run

_OVER = timedelta(days=7)
_KNOWN_FOR_S = 5.0


class _Kept:
    def __init__(self) -> None:
        self.speeds: Speeds = {}
        self.until = 0.0


_kept = _Kept()


async def measured() -> Speeds:
    """How soon and how fast each offer answered over the last week."""
    if time.monotonic() > _kept.until:
        _kept.speeds = await _read()
        _kept.until = time.monotonic() + _KNOWN_FOR_S
    return _kept.speeds


def forget() -> None:
    _kept.until = 0.0


async def _read() -> Speeds:
    since = timezone.now() - _OVER
    return {
        (row["provider"], row["model"]): (row["first_token"], row["speed"])
        async for row in Run.objects.speeds_since(since)
    }

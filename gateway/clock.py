"""Time as the engine sees it, so that tests need not sleep."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds; for durations inside one process."""

    def unix(self) -> float:
        """Seconds since 1970; only for telling people and events."""

    def store_us(self) -> int:
        """Microseconds handed to the Lua scripts; 0 leaves it to Redis' own TIME."""

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def unix(self) -> float:
        return time.time()

    def store_us(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

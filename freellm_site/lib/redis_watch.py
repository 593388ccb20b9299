"""Whether Redis answers, as far as this process knows: one finds out, and nobody else waits.

A Redis that hangs costs whoever asks it the whole socket timeout. So the first to notice tells
all, and while it is away one caller a second looks whether it is back; the others are refused at
once, as if nothing listened there.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

FRESH_S = 1.0


class RedisWatch:
    def __init__(self) -> None:
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        """As at the start: nothing is known, and who asks may try."""
        self._is_away = False
        self._heard_at = float("-inf")
        self.away_since_s: float | None = None  # Unix time, as far as this process knows

    def answered(self) -> bool | None:
        """Whether it answered within the last second; None when nobody has asked it."""
        is_fresh = time.monotonic() - self._heard_at < FRESH_S
        return not self._is_away if is_fresh else None

    def may_ask(self) -> bool:
        with self._lock:
            if self.answered() is False:
                return False
            if self._is_away:
                self._heard_at = time.monotonic()  # this caller looks for all the others
            return True

    def heard(self, *, answers: bool) -> None:
        with self._lock:
            self._is_away, self._heard_at = not answers, time.monotonic()
            self.away_since_s = None if answers else self.away_since_s or time.time()


redis_watch = RedisWatch()


class WatchedRedis(Redis):
    """Raises redis' ConnectionError at once while Redis is known to be away."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if not redis_watch.may_ask():
            raise RedisConnectionError("Redis did not answer a moment ago.")
        try:
            reply = super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # of redis-py
        except (RedisConnectionError, RedisTimeoutError):
            redis_watch.heard(answers=False)
            raise
        redis_watch.heard(answers=True)
        return reply

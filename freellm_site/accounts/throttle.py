"""Slows down who guesses passwords: ten attempts per address and name in five minutes."""

from __future__ import annotations

import hashlib
from typing import Any

from django.core.cache import caches

ATTEMPTS = 10
WINDOW_S = 300


def attempt(address: str, name: str) -> int:
    """Count an attempt before it is made; the seconds to wait, or 0 when it may be made.

    Counting first keeps a burst of parallel guesses inside the allowance. With Redis away
    nothing is counted and everyone may try: a lock-out of all would be the greater harm.
    """
    cache = _cache()
    key = _key(address, name)
    cache.add(key, 0, timeout=WINDOW_S)
    try:
        count = cache.incr(key)
    except ValueError:  # it expired between the two steps
        return 0
    if count is None or count <= ATTEMPTS:
        return 0
    return max(1, cache.ttl(key) or WINDOW_S)


def forget(address: str, name: str) -> None:
    """A right password clears the count."""
    _cache().delete(_key(address, name))


def _cache() -> Any:
    # django-redis has `ttl`, which Django's own interface does not know.
    return caches["default"]


def _key(address: str, name: str) -> str:
    # Hashed: names may hold anything, keys may not; and the cache need not know who tried.
    who = hashlib.sha256(f"{address}\0{name.casefold()}".encode()).hexdigest()
    return f"sign-in:{who}"

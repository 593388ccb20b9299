"""What is fetched ahead once the lists were renewed: the prompts that follow ask for it.

The catalog knows nobody who chooses by its offers; they say what they will ask for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.cache.cache import Cache

Warmer = Callable[[Cache], Awaitable[None]]

_warmers: list[Warmer] = []


def warmed_by(warmer: Warmer) -> None:
    """From now on `warmer` is called after each refresh."""
    _warmers.append(warmer)


async def warm(cache: Cache) -> None:
    for warmer in _warmers:
        await warmer(cache)

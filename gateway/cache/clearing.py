"""Removing what somebody wants gone, everywhere, and saying how much that was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.cache.kinds import KINDS
from gateway.cache.memory import Name
from gateway.cache.tiers import Tiers
from gateway.store import StoreAwayError


@dataclass(frozen=True, slots=True)
class Gone:
    """Entries that left. `redis` is None while Redis is away: it hears of it when it is back."""

    redis: int | None
    disk: int  # of this machine


async def clear(
    tiers: Tiers, kinds: Sequence[str], tags: Sequence[str], names: Sequence[Name]
) -> Gone:
    lying = await _lying(tiers, names)
    disk = await tiers.make_void(kinds=kinds, tags=tags, names=names)
    try:
        everywhere = [one.name for one in KINDS] if tags else kinds
        return Gone(lying + await tiers.shelf.clear(everywhere), disk)
    except StoreAwayError:
        return Gone(None, disk)


async def _lying(tiers: Tiers, names: Sequence[Name]) -> int:
    """How many of these there are; counted before, because voiding them removes them."""
    try:
        return sum([await tiers.shelf.one(*name) is not None for name in names])
    except StoreAwayError:
        return 0

"""Whether a change has reached every process, and how long that took."""

from __future__ import annotations

from dataclasses import dataclass

from asgiref.sync import async_to_sync

from catalog.engine import engine
from gateway.policy.holding import Holder
from gateway.store import StoreAwayError


@dataclass(frozen=True, slots=True)
class Held:
    """`version` is the database's; nobody is known while Redis is away."""

    version: int
    holders: tuple[Holder, ...]
    is_redis_away: bool = False

    @property
    def holding(self) -> tuple[Holder, ...]:
        return tuple(one for one in self.holders if one.version == self.version)

    @property
    def refusing(self) -> tuple[Holder, ...]:
        return tuple(one for one in self.holders if one.refused)

    @property
    def is_everywhere(self) -> bool:
        return bool(self.holders) and len(self.holding) == len(self.holders)

    @property
    def took_s(self) -> float | None:
        """Until the last process held it; None where all of them began later."""
        return max((one.took_s for one in self.holding if one.took_s is not None), default=None)


def held(version: int) -> Held:
    return async_to_sync(_held)(version)


async def _held(version: int) -> Held:
    async with engine() as gateway:
        try:
            return Held(version, tuple(await gateway.policy_holders()))
        except StoreAwayError:
            return Held(version, (), is_redis_away=True)

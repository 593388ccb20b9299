"""Through everything that may hold a call back, in one script: through all of it or none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway import keys
from gateway.store import Script, Store

_ADMIT = Script(
    "lua/time.lua",
    "resilience/lua/breaker.lua",
    "resilience/lua/passing.lua",
    "limiter/lua/window.lua",
    "limiter/lua/limits.lua",
    "limiter/lua/line.lua",
    "limiter/lua/quota.lua",
    "lua/admit.lua",
)


@dataclass(frozen=True, slots=True)
class Door:
    """One thing's part in the script: its keys and what it hands in."""

    keys: Sequence[str] = ()
    args: Sequence[int | float | str] = ()


@dataclass(frozen=True, slots=True)
class Doors:
    """Whatever a call has to pass; a door without keys stands open."""

    call_id: str = ""
    rests: Door = Door()
    breakers: Door = Door()
    quota: Door = Door()


@dataclass(frozen=True, slots=True)
class Passage:
    """`in_the_way` is "" where the call has passed, else "key", "breaker" or "quota".

    `wait_us` is -1 where no waiting helps; `number` counts from 1 within what is in the way, 0 is
    the rest of a whole quota. `why` is the reason, or for a quota how much of the limit holds now.
    """

    in_the_way: str
    wait_us: int
    number: int
    why: str
    now_us: int
    is_probe: bool

    @classmethod
    def read(cls, reply: Sequence[Any]) -> Passage:
        what, wait_us, number, why, now_us, is_probe = reply
        return cls(
            what.decode(), wait_us, number, why.decode(errors="replace"), now_us, bool(is_probe)
        )


def pass_doors(store: Store, now_us: int, doors: Doors) -> asyncio.Future[Any]:
    """Ask to pass; the reply is for `Passage.read`. Raises StoreAwayError when awaited."""
    names = (*doors.rests.keys, *doors.breakers.keys, *doors.quota.keys)
    counts = (len(doors.rests.keys), len(doors.breakers.keys))
    head = (now_us, doors.call_id, keys.BREAKER_TTL_S, *counts)
    return store.run(_ADMIT, names, (*head, *doors.breakers.args, *doors.quota.args))

"""Which process holds which version of the policy: each tells of itself, in one hash of Redis."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import Any

from gateway import keys
from gateway.store import Command, Store

logger = logging.getLogger(__name__)

TELL_EVERY_S = 2.0
# Of whom nothing was heard for so long, that process is gone.
BELIEVED_FOR_S = 7.0
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Holder:
    """What one process tells of itself.

    `took_s` is how long after its publication the version held there; None in a process that
    began later. `refused` says why a newer version could not be applied: none of it was.
    """

    process: str
    version: int
    told_us: int
    took_s: float | None = None
    refused: str = ""

    @property
    def kind(self) -> str:
        """Web or worker."""
        return self.process.partition(" ")[0]


def telling(holder: Holder) -> tuple[Command, ...]:
    fields = asdict(holder)
    name = fields.pop("process")
    return (
        ("HSET", keys.POLICY_HOLDERS, name, json.dumps(fields)),
        ("EXPIRE", keys.POLICY_HOLDERS, keys.POLICY_HOLDERS_TTL_S),
    )


def leaving(process: str) -> Command:
    return ("HDEL", keys.POLICY_HOLDERS, process)


async def holders(store: Store) -> list[Holder]:
    """The processes that are alive, by name; raises StoreAwayError without Redis."""
    flat, now = await store.ask(("HGETALL", keys.POLICY_HOLDERS), ("TIME",))
    oldest_us = int(now[0]) * _US + int(now[1]) - int(BELIEVED_FOR_S * _US)
    told = [_understood(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
    known = [one for one in told if one is not None]
    gone = [one.process for one in known if one.told_us < oldest_us]
    if gone:
        store.ask(*(leaving(one) for one in gone))
    return sorted((one for one in known if one.told_us >= oldest_us), key=lambda one: one.process)


def _understood(name: bytes, text: bytes) -> Holder | None:
    try:
        fields: Any = json.loads(text)
        return Holder(process=name.decode(), **fields)
    except (ValueError, TypeError):
        logger.warning("A process tells of its policy in words that are not understood.")
        return None

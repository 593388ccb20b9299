"""Keys that were refused are set aside for a while, so that not every call tries them again.

A wrong key rests as a whole; one that may not use a model rests for that model. Another value of
the key is another key. A test of the key that succeeds ends its rest.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from cachetools import TTLCache

from gateway import keys
from gateway.doors import Door
from gateway.errors import AuthRejected, Forbidden, KeySetAside
from gateway.policy import PolicySource
from gateway.store import Store, StoreAwayError
from gateway.types import Outcome, Target

_KEYS = 10_000
_US = 1_000_000
_OUTCOMES = (Outcome.AUTH_REJECTED, Outcome.FORBIDDEN)  # of the two rests, in their order


class KeyRests:
    def __init__(self, store: Store, policy: PolicySource) -> None:
        self._store = store
        self._policy = policy
        self._local: TTLCache[str, str] = TTLCache(
            _KEYS, policy.current().limiter.rejected_key_pause_s, timer=time.monotonic
        )

    def door(self, target: Target) -> Door:
        return Door(_names(target))

    def refusal(self, number: int, why: str, wait_us: int) -> KeySetAside:
        return _refusal(number, why, wait_us / _US)

    def check_alone(self, target: Target) -> None:
        """Raise KeySetAside by what this process has seen itself."""
        for number, name in enumerate(_names(target), start=1):
            if (why := self._local.get(name)) is not None:
                raise _refusal(number, why, None)

    async def resting(self, targets: Sequence[Target]) -> dict[Target, str]:
        """The targets whose key is set aside, with what was said; one round trip."""
        names = {target: _names(target) for target in targets}
        asked = list(dict.fromkeys(name for pair in names.values() for name in pair))
        said = await self._said(asked) if asked else {}
        found = {
            target: next((said[name] for name in pair if said.get(name)), "")
            for target, pair in names.items()
        }
        return {target: why for target, why in found.items() if why}

    async def _said(self, names: Sequence[str]) -> dict[str, str]:
        """By the rests' names; while Redis is away what this process has seen itself."""
        try:
            replies = await self._store.ask(*(("GET", name) for name in names))
        except StoreAwayError:
            return {name: self._local.get(name, "") for name in names}
        return {
            name: reply.decode(errors="replace") if isinstance(reply, bytes) else ""
            for name, reply in zip(names, replies, strict=True)
        }

    def hear(self, target: Target, error: BaseException | None, *, is_test: bool) -> None:
        """What an answer says of the key; a success says something only where it was tested."""
        names = _names(target)
        if not names:
            return
        if isinstance(error, AuthRejected | Forbidden):
            self._set_aside(names[isinstance(error, Forbidden)], error.message)
        elif error is None and is_test:
            for name in names:
                self._local.pop(name, None)
            self._store.ask(("DEL", *names))

    def _set_aside(self, name: str, why: str) -> None:
        self._local[name] = why
        pause_ms = int(self._policy.current().limiter.rejected_key_pause_s * 1000)
        self._store.ask(("SET", name, why, "PX", pause_ms))


def _names(target: Target) -> tuple[str, ...]:
    """The whole key's rest, and the one for this model."""
    if target.key is None:
        return ()
    digest = hashlib.sha256(target.key.reveal().encode(errors="replace")).hexdigest()[:16]
    who = (target.provider, target.key_id, digest)
    return keys.key_rest(*who), keys.key_rest(*who, target.model)


def _refusal(number: int, why: str, wait_s: float | None) -> KeySetAside:
    return KeySetAside(
        f"This key rests until it is changed or tested: it was refused. {why}",
        outcome=_OUTCOMES[number - 1],
        retry_after_s=wait_s,
    )

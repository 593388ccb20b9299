"""Overrides of the policy that hold in every process within a second of being published.

They travel through one key of Redis, whole: a process has all of a change or nothing of it. Each
process asks for that key twice a second, which costs less than a subscription would in care: it
needs no second connection, and nothing is missed while Redis or the process was away.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from gateway import keys
from gateway.policy.groups import Policy
from gateway.policy.levels import Overrides, Scope, StaticPolicy
from gateway.store import Store, StoreAwayError

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.5


class LivePolicy:
    """The policy as last published; its defaults until something was."""

    def __init__(self, store: Store, policy: Policy = Policy()) -> None:  # noqa: B008 - frozen
        self._store = store
        self._base = policy
        self._now = StaticPolicy(policy)
        self._published: bytes | None = None

    def current(self) -> Policy:
        return self._now.current()

    def at(self, provider: str, model: str = "") -> Policy:
        return self._now.at(provider, model)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[LivePolicy]:
        """Kept up to date while the block runs; up to date from its start where Redis is there."""
        await self.reload()
        watcher = asyncio.create_task(self._watch(), name="policy-watcher")
        try:
            yield self
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def reload(self) -> None:
        """Take over what is published now.

        While Redis is away, and where it has lost the overrides or holds nonsense, the last known
        ones stay.
        """
        with suppress(StoreAwayError):
            (published,) = await self._store.ask(("GET", keys.POLICY))
            if published is not None and published != self._published:
                self._published = published
                self._take(published)

    def _take(self, published: bytes) -> None:
        try:
            self._now = StaticPolicy(self._base, decoded(published))
        except ValueError:
            logger.exception("Published limits are not understood; the last ones stay.")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S)
            await self.reload()


async def publish(store: Store, overrides: Overrides) -> None:
    """Make `overrides` hold everywhere in place of all earlier ones.

    Raises ValueError where one is not allowed (and publishes nothing), StoreAwayError without
    Redis.
    """
    StaticPolicy(overrides=overrides)
    await store.ask(("SET", keys.POLICY, encoded(overrides)))


def encoded(overrides: Overrides) -> str:
    return json.dumps(
        [
            {"provider": scope.provider, "model": scope.model, "values": dict(values)}
            for scope, values in sorted(overrides.items())
        ]
    )


def decoded(published: bytes) -> Overrides:
    """Raises ValueError on anything that `encoded` did not write."""
    try:
        return {
            Scope(one["provider"], one["model"]): dict(one["values"])
            for one in json.loads(published)
        }
    except (KeyError, TypeError) as error:
        raise ValueError("These are no overrides of a policy.") from error

"""Overrides of the policy that hold in every process within a second of being published.

They travel through one key of Redis, whole: a process has all of a change or nothing of it. Each
process asks for that key twice a second, which costs less than a subscription would in care: it
needs no second connection, and nothing is missed while Redis or the process was away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError

from gateway import keys
from gateway.policy.groups import Policy
from gateway.policy.holding import TELL_EVERY_S, Holder, leaving, telling
from gateway.policy.levels import StaticPolicy
from gateway.policy.published import Published, decoded
from gateway.store import Store, StoreAwayError

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.4
_US = 1_000_000


class LivePolicy:
    """The policy as last published; its defaults until something was.

    With a name of the `process`, as "web host:123", it tells which version it holds.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy = Policy(),  # noqa: B008 - frozen
        *,
        process: str = "",
    ) -> None:
        self._store = store
        self._base = policy
        self._process = process
        self._now = StaticPolicy(policy)
        self._seen: bytes | None = None
        self._told_at = -TELL_EVERY_S
        self._took_s: float | None = None
        self._at_us = 0  # when what was last seen was published
        self.version = 0
        self.refused = ""  # why the newest version does not hold here

    def current(self) -> Policy:
        return self._now.current()

    def at(self, provider: str, model: str = "") -> Policy:
        return self._now.at(provider, model)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[LivePolicy]:
        """Kept up to date while the block runs; up to date from its start where Redis is there."""
        await self.reload(is_first=True)
        watcher = asyncio.create_task(self._watch(), name="policy-watcher")
        try:
            yield self
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            if self._process:
                self._store.ask(leaving(self._process))

    async def reload(self, *, is_first: bool = False) -> None:
        """Take over what is published now, and tell of it.

        While Redis is away, and where it has lost the overrides or holds nonsense, the last known
        ones stay.
        """
        with suppress(StoreAwayError):
            published, now = await self._store.ask(("GET", keys.POLICY), ("TIME",))
            asked_at, is_news = time.monotonic(), published is not None and published != self._seen
            if is_news:
                self._seen = published
                self._understand(published)
            if self._process and (is_news or asked_at - self._told_at >= TELL_EVERY_S):
                now_us = int(now[0]) * _US + int(now[1]) + int((time.monotonic() - asked_at) * _US)
                self._tell(now_us, self._at_us if is_news and not is_first else None)

    def hold(self, published: Published) -> None:
        """Take it over, all of it; what cannot be is refused as a whole, and the last one stays."""
        try:
            self._now = StaticPolicy(self._base, published.overrides)
        except ValueError as error:
            self._refuse(f"Version {published.version}: {error}")
            return
        self.version, self.refused = published.version, ""

    def _understand(self, text: bytes) -> None:
        try:
            published = decoded(text)
        except ValueError:
            self._refuse("What was published is not understood.")
            return
        self._at_us = published.at_us
        self.hold(published)

    def _refuse(self, why: str) -> None:
        self.refused = why
        logger.error("The published policy does not hold here, the last one stays. %s", why)

    def _tell(self, now_us: int, since_us: int | None) -> None:
        """`since_us` is when it was published, where that was heard of just now."""
        if since_us is not None:
            self._took_s = max(0, now_us - since_us) / _US
        self._told_at = time.monotonic()
        told = Holder(self._process, self.version, now_us, self._took_s, self.refused)
        self._store.ask(*telling(told))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S)
            try:
                await self.reload()
            except RedisError:
                logger.exception("The policy could not be asked for; trying again.")

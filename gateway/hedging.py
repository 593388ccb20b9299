"""Two targets for one call that is late: the first to begin its answer gives it.

After Dean and Barroso, The Tail at Scale (2013): a second request after the 95th percentile of the
expected time shortens the tail at little more load. The loser is cancelled, and what it held of
its quota is settled like that of any call whose caller went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from gateway.call import Try
from gateway.errors import GatewayError
from gateway.types import Attempt, StreamItem

Items = AsyncGenerator[StreamItem, None]


class Runner:
    """An attempt under way, as far as its first item."""

    def __init__(self, attempt: Try, items: Items) -> None:
        self.attempt = attempt
        self.items = items
        self.first = asyncio.ensure_future(anext(items))

    @property
    def error(self) -> GatewayError | None:
        """What it failed with; any other error is a fault of ours, and raised."""
        if not self.first.done() or self.first.cancelled():
            return None
        error = self.first.exception()
        if error is None:
            return None
        if not isinstance(error, GatewayError):
            raise error
        return error

    async def close(self) -> None:
        """Drop what is under way; it hears that its caller went away, which is nobody's fault."""
        self.first.cancel()
        await asyncio.wait([self.first])
        if not self.first.cancelled():
            self.first.exception()  # nobody asks for it any more
        await self.items.aclose()


class Race:
    """`attempt` is the one that leads: what is raised is its failure."""

    def __init__(self, attempt: Try) -> None:
        self.attempt = attempt

    async def run(
        self, items: Items, late_after_s: float, second: Callable[[], Runner | None]
    ) -> Items:
        """The attempt's items, or those of the second one that is started when it is late."""
        runners = [Runner(self.attempt, items)]
        try:
            await asyncio.wait([runners[0].first], timeout=late_after_s)
            if not runners[0].first.done() and (another := second()) is not None:
                runners.append(another)
            leader = await _leader(runners)
            self.attempt = leader.attempt
            for failed in await self._others_end(runners):
                yield failed
            yield leader.first.result()
            async with aclosing(leader.items):
                async for item in leader.items:
                    yield item
        finally:
            for one in runners:
                await one.close()
            await self._others_end(runners)

    async def _others_end(self, runners: Sequence[Runner]) -> list[Attempt]:
        """Who does not lead has failed, or was too slow; the failures."""
        failed = []
        for one in runners:
            if one.attempt is self.attempt or one.attempt.is_over:
                continue
            if one.error is not None:
                failed.append(one.attempt.failed(one.error))
                continue
            await one.close()
            one.attempt.cancelled("Another target was faster.")
        return failed


async def _leader(runners: Sequence[Runner]) -> Runner:
    """The first to begin its answer; where none does, the first of all, to raise its failure."""
    while True:
        waiting = [one.first for one in runners if not one.first.done()]
        if begun := [one for one in runners if one.first.done() and one.error is None]:
            return begun[0]
        if not waiting:
            return runners[0]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

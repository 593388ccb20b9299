"""The completion cache in front of the providers: look, share a flight, keep, replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import Any

from gateway.cache.answers import (
    answer_keys,
    decode,
    encode,
    flight_key,
    may_keep,
    may_read,
    tags,
)
from gateway.cache.entries import Entry
from gateway.cache.flight import Flights, Look, Turn
from gateway.cache.kinds import COMPLETION
from gateway.cache.tiers import Found, Tiers
from gateway.call import Call
from gateway.clock import Clock
from gateway.errors import DeadlinePassed, GatewayError, InvalidRequest, NotCached, NotSent
from gateway.policy import PolicySource
from gateway.store import Store
from gateway.types import (
    CacheMode,
    Chunk,
    Completion,
    Reasoning,
    Started,
    StreamItem,
    Target,
    ToolCallDelta,
)

_REPLAY_CHARS = 80  # about a line: a kept answer appears at once, and still as a stream

Items = AsyncGenerator[StreamItem, None]


class CompletionCache:
    """An answer of any of the call's targets will do; the first target's is preferred."""

    def __init__(self, tiers: Tiers, store: Store, policy: PolicySource, clock: Clock) -> None:
        self._tiers = tiers
        self._policy = policy
        self._clock = clock
        self._flights: Flights[Completion] = Flights(store, policy)

    async def answered(
        self, call: Call, targets: Sequence[Target], fresh: Callable[[], Items]
    ) -> Items:
        """From what is kept, from an equal call under way, or `fresh` from a target."""
        asked = _Asked(call, targets, self._names(call, targets))
        kept, stale = await self._kept(asked)
        if kept is None and call.request.cache is CacheMode.ONLY:
            raise NotCached("No answer to this request is kept.")
        try:
            async with aclosing(self._items(asked, kept, fresh)) as items:
                async for item in items:
                    yield item
        except GatewayError as error:
            if stale is None or call.has_begun or isinstance(error, InvalidRequest):
                raise
            self._tiers.counts.add(COMPLETION.name, stale.cached, "stale")
            for item in replayed(self._given(asked.call, stale, stale.cached)):
                yield item

    def _items(self, asked: _Asked, kept: Completion | None, fresh: Callable[[], Items]) -> Items:
        if kept is not None:
            return _replay(self._given(asked.call, kept, kept.cached))
        if asked.names and self._shares(asked.call):
            return self._together(asked, fresh)
        return self._keeping(asked, fresh)

    async def _kept(self, asked: _Asked) -> tuple[Completion | None, Completion | None]:
        """What may be given, and what may be given only if nothing else can be had."""
        if not asked.names or not may_read(asked.call.request):
            return None, None
        found = await self._tiers.near(COMPLETION, asked.names)
        if found is None and not self._shares(asked.call):  # else Redis is asked with the lock
            found = await self._tiers.far(COMPLETION, asked.names)
        completion = self._read(asked, found)
        if found is None or completion is None:
            return None, None
        lifetime = self._policy.current().lifetimes.of(COMPLETION.name)
        return (completion, None) if found.age_s <= lifetime.fresh_s else (None, completion)

    async def _together(self, asked: _Asked, fresh: Callable[[], Items]) -> Items:
        """Of equal calls at the same time one goes; the others wait for its whole answer.

        A failure is shared within the process too: the others would only repeat it. But one
        that ran out of its own time, was cancelled or cut short says nothing about the others.
        """
        call = asked.call
        async with AsyncExitStack() as stack:
            turn = await self._turn(asked, stack)
            if turn.result is not None:
                if turn.is_shared:
                    self._tiers.counts.add(COMPLETION.name, "flight", "coalesced")
                tier = "flight" if turn.is_shared else turn.result.cached
                for item in replayed(self._given(call, turn.result, tier)):
                    yield item
                return
            try:
                async with aclosing(self._keeping(asked, fresh)) as items:
                    async for item in items:
                        if isinstance(item, Completion):
                            turn.bring(item)
                        yield item
            except NotSent:
                raise
            except GatewayError as error:
                if not call.has_begun:
                    turn.bring(error)
                raise

    async def _turn(self, asked: _Asked, stack: AsyncExitStack) -> Turn[Completion]:
        async def read(newest: Any, kept: Sequence[bytes | None]) -> Completion | None:
            found = await self._tiers.found(COMPLETION, asked.names, newest, kept)
            lifetime = self._policy.current().lifetimes.of(COMPLETION.name)
            is_fresh = found is not None and found.age_s <= lifetime.fresh_s
            return self._read(asked, found) if is_fresh else None

        look = Look(self._tiers.places(COMPLETION, asked.names), read)
        try:
            async with asyncio.timeout(asked.call.remaining_s):
                turn = self._flights.turn(flight_key(asked.names), look)
                return await stack.enter_async_context(turn)
        except TimeoutError as error:
            raise DeadlinePassed(
                "The call's time ended while an equal call was answered."
            ) from error

    async def _keeping(self, asked: _Asked, fresh: Callable[[], Items]) -> Items:
        """Fresh from a target, and kept before it is told, if it may be."""
        stamp = self._tiers.begin()
        async with aclosing(fresh()) as items:
            async for item in items:
                if isinstance(item, Completion) and may_keep(asked.call.request):
                    self._keep(asked, item, stamp)
                yield item

    def _keep(self, asked: _Asked, completion: Completion, stamp: int) -> None:
        """Under the target that answered."""
        who = (completion.provider, completion.model)
        for target, name in zip(asked.targets, asked.names, strict=True):
            if (target.provider, target.model) == who:
                entry = Entry(
                    payload=encode(completion),
                    made_at=self._clock.unix(),
                    stamp=stamp,
                    tags=tags(asked.call.request, target),
                    version=COMPLETION.version,
                )
                self._tiers.keep(COMPLETION, name, entry, self._policy.at(*who))
                return

    def _names(self, call: Call, targets: Sequence[Target]) -> list[str]:
        if not (may_read(call.request) or may_keep(call.request)):
            return []  # nothing is worth its digest
        is_shared = bool(self._policy.current().cache.shares_between_owners)
        return answer_keys(call.request, targets, is_shared=is_shared)

    @staticmethod
    def _shares(call: Call) -> bool:
        """Whether equal calls may wait for one another's answer."""
        return call.request.cache is CacheMode.USE and may_read(call.request)

    def _given(self, call: Call, kept: Completion, tier: str) -> Completion:
        """The answer as this call's own; what it was spared is counted."""
        saved_ms = max(0, round((kept.duration_s - call.elapsed_s) * 1000))
        counts = self._tiers.counts
        counts.add(COMPLETION.name, tier, "saved_calls")
        counts.add(COMPLETION.name, tier, "saved_ms", saved_ms)
        counts.add(COMPLETION.name, tier, "saved_tokens", kept.usage.total_tokens)
        return replace(
            kept,
            call_id=call.request.call_id,
            attempts=(),
            cached=kept.cached or "memory",
            first_token_s=call.elapsed_s,
            duration_s=call.elapsed_s,
        )

    @staticmethod
    def _read(asked: _Asked, found: Found | None) -> Completion | None:
        if found is None:
            return None
        return decode(found.entry.payload, asked.call.request.call_id, found.tier)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call, and for each of its targets under which name its answer is kept."""

    call: Call
    targets: Sequence[Target]
    names: list[str]


def replayed(completion: Completion) -> Iterator[StreamItem]:
    """A kept answer as a stream."""
    yield Started(completion.provider, completion.model, completion.label, completion.cached)
    for start in range(0, len(completion.reasoning), _REPLAY_CHARS):
        yield Reasoning(completion.reasoning[start : start + _REPLAY_CHARS])
    for start in range(0, len(completion.text), _REPLAY_CHARS):
        yield Chunk(completion.text[start : start + _REPLAY_CHARS])
    for index, one in enumerate(completion.tool_calls):
        yield ToolCallDelta(index, one.id, one.name, one.arguments, one.signature)
    yield completion


async def _replay(completion: Completion) -> Items:
    for item in replayed(completion):
        yield item

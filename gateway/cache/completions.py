"""The completion cache in front of the providers: look, share a flight, keep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from gateway.cache.answers import answer_key, decode, encode, flight_key, may_keep, may_read
from gateway.cache.flight import Flights
from gateway.cache.tiers import Found, Tiers
from gateway.call import Call
from gateway.errors import DeadlinePassed, GatewayError, NotSent
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

_T = TypeVar("_T")
Origin = Callable[[], Awaitable[Completion]]


class CompletionCache:
    """An answer of any of the call's targets will do; the first target's is preferred."""

    def __init__(self, tiers: Tiers, flights: Flights[Completion | GatewayError]) -> None:
        self._tiers = tiers
        self._flights = flights

    async def find(self, call: Call, targets: Sequence[Target]) -> Completion | None:
        """What is kept for this call, if it may be read; costs nothing where it may not."""
        if not may_read(call.request) or not targets:
            return None
        names = _names(call, targets)
        if self.shares(call):  # Redis is asked together with the flight's lock
            return _completion(call, self._tiers.find_in_memory(names))
        return _completion(call, await self._tiers.find(names))

    def keep(self, call: Call, targets: Sequence[Target], completion: Completion) -> None:
        """Keep what a provider answered, under the target that answered."""
        if completion.cached or not may_keep(call.request):
            return
        for target in targets:
            if (target.provider, target.model) == (completion.provider, completion.model):
                self._tiers.keep(answer_key(call.request, target), encode(completion))
                return

    def shares(self, call: Call) -> bool:
        """Whether equal calls may wait for one another's answer."""
        return (
            not call.is_streamed and call.request.cache is CacheMode.USE and may_read(call.request)
        )

    async def share(self, call: Call, targets: Sequence[Target], origin: Origin) -> Completion:
        """Of equal calls at the same time one asks the origin, the others wait for its answer.

        A failure is shared within the process too: the others would only repeat it. But one
        that ran out of its own time, or was cancelled, says nothing about the others.
        """
        name = flight_key(_names(call, targets))
        while (flight := self._flights.under_way(name)) is not None:
            landed = await _within(asyncio.shield(flight), call)
            if isinstance(landed, GatewayError):
                raise landed
            if landed is not None:
                return _as_kept(landed, call, "memory")
        async with self._flights.lead(name) as landing:
            try:
                completion = await self._lead(call, targets, origin, name)
            except NotSent:
                raise
            except GatewayError as error:
                landing.bring(error)
                raise
            landing.bring(completion)
            return completion

    async def _lead(
        self, call: Call, targets: Sequence[Target], origin: Origin, name: str
    ) -> Completion:
        names = _names(call, targets)
        while True:
            async with self._flights.lock(name, self._tiers.look(names)) as (is_ours, found):
                # Another may have brought it between our look into memory and our lock.
                if found and (kept := _completion(call, self._tiers.found(names, found))):
                    return kept
                if is_ours:
                    completion = await origin()
                    self.keep(call, targets, completion)
                    return completion
            await _within(self._flights.landed(name), call)


def _completion(call: Call, found: Found | None) -> Completion | None:
    if found is None:
        return None
    _, kept, tier = found
    completion = decode(kept, call.request.call_id, tier)
    return completion and _as_kept(completion, call, tier)


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


def _names(call: Call, targets: Sequence[Target]) -> list[str]:
    return [answer_key(call.request, target) for target in targets]


def _as_kept(completion: Completion, call: Call, tier: str) -> Completion:
    return replace(
        completion,
        call_id=call.request.call_id,
        attempts=(),
        cached=tier,
        first_token_s=call.elapsed_s,
        duration_s=call.elapsed_s,
    )


async def _within(waiting: Awaitable[_T], call: Call) -> _T:
    try:
        async with asyncio.timeout(call.remaining_s):
            return await waiting
    except TimeoutError as error:
        raise DeadlinePassed("The call's time ended while an equal call was answered.") from error

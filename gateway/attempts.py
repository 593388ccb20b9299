"""Target after target until one answers; each attempt passes queue, breaker and limiter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from gateway.admission import Admissions
from gateway.call import Call, Try
from gateway.clock import Clock
from gateway.dialects import Piece
from gateway.endings import (
    all_failed,
    completion,
    ends_call,
    retry_pause_s,
    stream_cut,
)
from gateway.entrance import Entrance
from gateway.errors import GatewayError, MalformedReply, NotConfigured
from gateway.exchange import Answer, Exchange
from gateway.policy import Policy
from gateway.transport import Transport
from gateway.types import Chunk, Completion, Reasoning, Started, StreamItem, Target

Attempting = AsyncGenerator[StreamItem, None]


@dataclass(frozen=True, slots=True)
class Attempts:
    transport: Transport
    admissions: Admissions
    entrance: Entrance
    clock: Clock

    async def run(self, call: Call, targets: Sequence[Target], policy: Policy) -> Attempting:
        """Failed attempts as they happen, then the answer; raises GatewayError."""
        tried = targets[: policy.retry.max_targets]
        if not tried:
            raise NotConfigured("There is no target that could be called.")
        for number, target in enumerate(tried, start=1):
            is_last = number == len(tried)
            async with aclosing(self._target(call, target, policy, is_last=is_last)) as items:
                async for item in items:
                    yield item
                    if isinstance(item, Completion):
                        return
        raise all_failed(call)

    async def single(self, call: Call, target: Target, policy: Policy) -> Attempting:
        """One attempt, whose own error is raised."""
        attempt = Try(call, target)
        try:
            async with aclosing(self._passed(attempt, policy)) as items:
                async for item in items:
                    yield item
        except GatewayError as error:
            attempt.failed(error)
            raise

    async def _target(
        self, call: Call, target: Target, policy: Policy, *, is_last: bool
    ) -> Attempting:
        """One target, again after a pause where that can help. Returns when it cannot."""
        for number in range(1, policy.retry.max_attempts + 1):
            attempt = Try(call, target, is_last=is_last)
            try:
                async with aclosing(self._passed(attempt, policy)) as items:
                    async for item in items:
                        yield item
            except GatewayError as error:
                failed = attempt.failed(error)
                if call.has_begun:
                    raise stream_cut(error) from error
                yield failed
                if ends_call(error):
                    raise
                pause = retry_pause_s(error, number, call, policy)
                if pause is None:
                    return
            except (asyncio.CancelledError, GeneratorExit):  # GeneratorExit: the stream was closed
                if not attempt.is_over:
                    attempt.cancelled()
                raise
            else:
                return
            await self.clock.sleep(pause)

    async def _passed(self, attempt: Try, policy: Policy) -> Attempting:
        """Queue, key, breakers, limiter, provider; all of them hear how it ended, whatever it is.

        They hear at once: the next attempt finds the quota at rest and the breaker open.
        """
        async with self.entrance.entered(attempt) as admission:
            attempt.note_sent()
            answer, is_told = Answer(), False
            attempt.call.underway = answer
            try:
                async with aclosing(self._answered(attempt, answer, policy)) as items:
                    async for item in items:
                        if isinstance(item, Completion):
                            is_told = True
                            self.admissions.leave(attempt, admission, answer, None)
                        yield item
            except BaseException as error:
                if not is_told:
                    self.admissions.leave(attempt, admission, answer, error)
                raise

    async def _answered(self, attempt: Try, answer: Answer, policy: Policy) -> Attempting:
        call, target = attempt.call, attempt.target
        exchange = Exchange(self.transport, target, call.request, policy.timeouts, call.remaining_s)
        has_started = False
        async with aclosing(exchange.pieces(answer, stream=call.is_streamed)) as pieces:
            async for piece in pieces:
                if not has_started:
                    has_started = True
                    yield Started(target.provider, target.model, target.label)
                if piece.has_content:
                    attempt.note_token()
                    call.has_begun = call.is_streamed
                for item in _shown(piece):
                    yield item
        if not has_started:
            raise MalformedReply("The answer was empty.", status=answer.status)
        attempt.succeeded(answer.status, answer.dropped)
        yield completion(attempt, answer)


def _shown(piece: Piece) -> Iterator[StreamItem]:
    """What the caller gets of a piece."""
    if piece.reasoning:
        yield Reasoning(piece.reasoning)
    if piece.text:
        yield Chunk(piece.text)
    yield from piece.tool_calls

"""Target after target until one answers; each attempt passes queue, breaker and limiter.

run -> the next target, as order.py has it
    -> one target: an attempt, after a pause another, within the budget of retries
    -> an attempt: entrance -> provider -> everybody hears how it ended
       (where the policy says so, a late one is joined by one at the next target)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

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
from gateway.errors import GatewayError, NotConfigured
from gateway.exchange import Answer, Exchange
from gateway.hedging import Race, Runner
from gateway.order import Order
from gateway.policy import Policy, PolicySource
from gateway.resilience.latencies import Latencies
from gateway.resilience.retry_budget import RetryBudget
from gateway.transport import Transport
from gateway.types import Chunk, Completion, Reasoning, Started, StreamItem, Target

Attempting = AsyncGenerator[StreamItem, None]


@dataclass(frozen=True, slots=True)
class Attempts:
    transport: Transport
    admissions: Admissions
    entrance: Entrance
    policy: PolicySource
    clock: Clock
    budget: RetryBudget = field(default_factory=RetryBudget)
    latencies: Latencies = field(default_factory=Latencies)

    async def run(self, call: Call, targets: Sequence[Target]) -> Attempting:
        """Failed attempts as they happen, then the answer; raises GatewayError."""
        tried = targets[: self.policy.current().retry.max_targets]
        if not tried:
            raise NotConfigured("There is no target that could be called.")
        order = Order(
            call,
            tried,
            policy=self.policy,
            budget=self.budget,
            reopenings=self.admissions.reopenings,
            clock=self.clock,
        )
        while (turn := await order.next()) is not None:
            async with aclosing(self._target(call, turn.target, turn.spare)) as items:
                async for item in items:
                    yield item
                    if isinstance(item, Completion):
                        return
            order.heard(turn.target, call.last_error)
        raise all_failed(call)

    async def single(self, call: Call, target: Target) -> Attempting:
        """One attempt, whose own error is raised."""
        attempt = Try(call, target)
        try:
            async with aclosing(self._passed(attempt)) as items:
                async for item in items:
                    yield item
        except GatewayError as error:
            attempt.failed(error)
            raise

    async def _target(self, call: Call, target: Target, spare: Target | None) -> Attempting:
        """One target, again after a pause where that can help. Returns when it cannot."""
        policy = self._policy(target)
        for number in range(1, policy.retry.max_attempts + 1):
            race = Race(Try(call, target, is_last=spare is None))
            try:
                async with aclosing(self._raced(race, spare or target)) as items:
                    async for item in items:
                        yield item
            except GatewayError as error:
                failed = race.attempt.failed(error)
                if call.has_begun:
                    raise stream_cut(error) from error
                yield failed
                if ends_call(error):
                    raise
                pause = retry_pause_s(error, number, call, policy)
                if pause is None or not self.budget.take(target.provider, policy.retry):
                    return
            except (asyncio.CancelledError, GeneratorExit):  # GeneratorExit: the stream was closed
                if not race.attempt.is_over:
                    race.attempt.cancelled()
                raise
            else:
                return
            await self.clock.sleep(pause)

    def _raced(self, race: Race, spare: Target) -> Attempting:
        """The attempt alone, unless it is to be joined by another when it is late."""
        attempt, items = race.attempt, self._passed(race.attempt)
        call, retry = attempt.call, self._policy(attempt.target).retry
        if not retry.hedging:
            return items
        late_s = self.latencies.p95_s(attempt.target, is_streamed=call.is_streamed)
        if late_s is None:
            return items

        def second() -> Runner | None:
            if not self.budget.take(spare.provider, retry):
                return None
            another = Try(call, spare, is_last=attempt.is_last)
            return Runner(another, self._passed(another))

        return race.run(items, max(late_s, retry.hedge_min_s), second)

    async def _passed(self, attempt: Try) -> Attempting:
        """Queue, key, breakers, limiter, provider; all of them hear how it ended, whatever it is.

        They hear at once: the next attempt finds the quota at rest and the breaker open.
        """
        async with self.entrance.entered(attempt) as reservation:
            answer, is_told = Answer(), False
            attempt.note_sent(answer)
            try:
                async with aclosing(self._answered(attempt, answer)) as items:
                    async for item in items:
                        if isinstance(item, Completion):
                            is_told = True
                            self.admissions.leave(attempt, reservation, answer, None)
                        yield item
            except BaseException as error:
                if not is_told:
                    self.admissions.leave(attempt, reservation, answer, error)
                raise

    async def _answered(self, attempt: Try, answer: Answer) -> Attempting:
        call, target = attempt.call, attempt.target
        timeouts = self._policy(target).timeouts
        exchange = Exchange(self.transport, target, call.request, timeouts, call.remaining_s)
        has_started = False
        async with aclosing(exchange.pieces(answer, stream=call.is_streamed)) as pieces:
            async for piece in pieces:
                if not has_started:
                    has_started = True
                    yield Started(target.provider, target.model, target.label)
                    call.underway = answer  # of the one that leads
                if piece.has_content:
                    attempt.note_token()
                    call.has_begun = call.is_streamed
                for item in _shown(piece):
                    yield item
        self.latencies.note(target, attempt.took_s, is_streamed=call.is_streamed)
        attempt.succeeded(answer.status, answer.dropped)
        yield completion(attempt, answer)

    def _policy(self, target: Target) -> Policy:
        return self.policy.at(target.provider, target.model)


def _shown(piece: Piece) -> Iterator[StreamItem]:
    """What the caller gets of a piece."""
    if piece.reasoning:
        yield Reasoning(piece.reasoning)
    if piece.text:
        yield Chunk(piece.text)
    yield from piece.tool_calls

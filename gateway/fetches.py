"""Fetching that keeps to what a provider bears, as calls do: queue, breakers, limiter, retries.

A list counts in a quota and a breaker of its own, by its target's model and pool, and in those of
its provider: what is known to be down is not asked, and what a list finds out holds for calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.attempts import Attempts
from gateway.call import Call, Try
from gateway.endings import retry_pause_s
from gateway.errors import GatewayError
from gateway.exchange import Answer
from gateway.types import ChatRequest, Target

Fetch = Callable[[float], Awaitable[bytes]]  # within so many seconds


@dataclass(frozen=True, slots=True)
class Fetches:
    attempts: Attempts

    async def fetched(self, target: Target, within_s: float, fetch: Fetch) -> bytes:
        """What `fetch` brings, asked again where that can help; raises GatewayError."""
        engine = self.attempts
        request = ChatRequest(messages=(), deadline_s=within_s, max_tokens=1, source="list")
        call = Call(request, engine.clock, is_streamed=False)
        policy = engine.policy.at(target.provider, target.model)
        engine.budget.first_attempt(target.provider, policy.retry)
        number = 0
        while True:
            number += 1
            attempt = Try(call, target)
            try:
                return await self._passed(attempt, fetch)
            except GatewayError as error:
                attempt.failed(error)
                pause = retry_pause_s(error, number, call, policy)
                if pause is None or not engine.budget.take(target.provider, policy.retry):
                    raise
            await engine.clock.sleep(pause)

    async def _passed(self, attempt: Try, fetch: Fetch) -> bytes:
        """Everybody hears how it ended, whatever it is."""
        admissions = self.attempts.admissions
        async with self.attempts.entrance.entered(attempt) as reservation:
            answer = Answer()
            attempt.note_sent(answer)
            try:
                body = await fetch(attempt.call.remaining_s)
            except BaseException as error:
                admissions.leave(attempt, reservation, answer, error)
                raise
            admissions.leave(attempt, reservation, answer, None)
            return body

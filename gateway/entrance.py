"""Into a provider: a place among the calls that run there, then key, breakers and quota.

Who must wait for its quota stands in the quota's line and holds no place meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from gateway.admission import Admissions
from gateway.call import Try
from gateway.dispatch import Dispatcher, Place, put_back_s
from gateway.errors import (
    DeadlinePassed,
    ProviderTimeout,
    RateLimited,
    Throttled,
)
from gateway.limiter.limiter import Stand
from gateway.limiter.quota import Reservation
from gateway.policy import LimiterPolicy, PolicySource

_US = 1_000_000
_OVERLOADS = (Throttled, ProviderTimeout)  # of other failures the breakers take care


@dataclass(frozen=True, slots=True)
class Entrance:
    admissions: Admissions
    dispatcher: Dispatcher
    policy: PolicySource

    @asynccontextmanager
    async def entered(self, attempt: Try) -> AsyncIterator[Reservation]:
        """What the attempt holds while the block runs; raises NotSent where it may not run.

        It waits where the wait is short: for a place, and for its quota.
        """
        policy = self.policy.at(attempt.target.provider, attempt.target.model)
        longest_s = _longest_s(attempt, policy.limiter)
        rank_s = put_back_s(attempt.call.request.priority, policy.dispatch)
        stand = Stand(int(rank_s * _US), min(longest_s, attempt.call.remaining_s))
        arrived = asyncio.get_running_loop().time()
        try:
            while True:
                attempt.call.check_deadline()
                async with self._place(attempt, arrived) as place:
                    asked = await self._ask(attempt, stand)
                    if isinstance(asked, Reservation):
                        stand.leave(has_passed=True)
                        with _heard(place, attempt):
                            yield asked
                        return
                await self._wait(attempt, stand, asked, longest_s)
        finally:
            stand.leave(has_passed=False)

    async def _ask(self, attempt: Try, stand: Stand) -> Reservation | RateLimited:
        try:
            return await self.admissions.enter(attempt, stand)
        except RateLimited as error:
            return error

    async def _wait(
        self, attempt: Try, stand: Stand, refusal: RateLimited, longest_s: float
    ) -> None:
        """Until it is its turn to ask again; raises the refusal where that would take too long."""
        left_s = min(longest_s - attempt.limiter_wait_s, attempt.call.remaining_s)
        wait_s, bill = refusal.retry_after_s, stand.bill
        if bill is None or wait_s is None or wait_s > left_s:
            raise refusal
        waiter, refusal.retry_after_s = self.admissions.limiter.stand_in_line(bill, stand, wait_s)
        if refusal.retry_after_s > left_s:
            raise refusal
        began_s = attempt.call.elapsed_s
        attempt.turn_at_s = began_s + refusal.retry_after_s
        try:
            await waiter.turn(left_s)
        except TimeoutError:
            raise refusal from None
        finally:
            attempt.turn_at_s = None
            waited_s = attempt.call.elapsed_s - began_s
            attempt.limiter_wait_s += waited_s
            attempt.call.patience_used_s += waited_s if attempt.is_last else 0.0
            stand.would_wait_s = longest_s - attempt.limiter_wait_s

    @asynccontextmanager
    async def _place(self, attempt: Try, arrived: float) -> AsyncIterator[Place]:
        call = attempt.call
        place = self.dispatcher.place(
            attempt.target.provider,
            call.request.priority,
            arrived=arrived,
            within_s=call.remaining_s,
            call_id=call.request.call_id,
        )
        try:
            entered = await place.__aenter__()
        except TimeoutError as error:
            raise DeadlinePassed("The call's time ended while it waited for its turn.") from error
        try:
            yield entered
        finally:
            await place.__aexit__(None, None, None)


def _longest_s(attempt: Try, policy: LimiterPolicy) -> float:
    if not attempt.is_last:
        return policy.max_wait_s
    return max(0.0, policy.max_wait_last_s - attempt.call.patience_used_s)


@contextmanager
def _heard(place: Place, attempt: Try) -> Iterator[None]:
    """The provider's lane hears how the call was borne."""
    place.started()
    began_s = attempt.call.elapsed_s - attempt.started_s
    try:
        yield
    except _OVERLOADS:
        place.refused()
        raise
    # To the first token where there was one: what follows depends on the answer's length.
    ended_s = attempt.first_token_s or attempt.call.elapsed_s - attempt.started_s
    place.answered(max(0.0, ended_s - began_s))

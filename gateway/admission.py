"""What an attempt must hold before it may be sent, and what is told when it is over."""

from __future__ import annotations

import asyncio

from gateway.background import Background
from gateway.call import Try
from gateway.clock import Clock
from gateway.doors import Doors, Passage, pass_doors
from gateway.endings import tokens_used, was_reached
from gateway.errors import GatewayError
from gateway.estimate import estimate_prompt_tokens
from gateway.exchange import Answer
from gateway.limiter.headers import read_cost
from gateway.limiter.learning import learned, refused_for, rest_s
from gateway.limiter.limiter import Bill, Limiter, Stand
from gateway.limiter.quota import Quota, Reservation, Settlement
from gateway.policy import PolicySource
from gateway.resilience.breaker import Breakers
from gateway.resilience.key_rests import KeyRests
from gateway.resilience.reopenings import Reopenings
from gateway.store import Store, StoreAwayError
from gateway.types import Unit

_US = 1_000_000


class Admissions:
    """Rest of the key, breakers and quota, passed together in one round trip."""

    def __init__(self, store: Store, policy: PolicySource, clock: Clock) -> None:
        self.limiter = Limiter(store, policy, clock)
        self.breakers = Breakers(store, policy, clock)
        self.key_rests = KeyRests(store, policy)
        self._store = store
        self._policy = policy
        self._clock = clock
        self.reopenings = Reopenings(self.breakers, policy, clock)
        self._background = Background()

    async def enter(self, attempt: Try, stand: Stand) -> Reservation:
        """Take what the attempt needs, or raise KeySetAside, CircuitOpen or RateLimited.

        `leave` must follow. Who is cancelled while Redis decides gets all of it given back. Who is
        refused by its quota, and would wait so long, may stand in line for it.
        """
        bill = self._bill(attempt, stand)
        asking = pass_doors(self._store, self._clock.store_us(), self._doors(attempt, bill, stand))
        try:
            passage = Passage.read(await asyncio.shield(asking))
        except StoreAwayError:
            return self._enter_alone(attempt, bill, stand)
        except asyncio.CancelledError:
            self._background.later(self._undo(asking, attempt, bill))
            raise
        if passage.in_the_way:
            raise self._refusal(attempt, bill, passage, stand)
        return self._admitted(attempt, bill, passage)

    def _bill(self, attempt: Try, stand: Stand) -> Bill:
        """The one it stands in line with, made anew when the policy has changed meanwhile."""
        kept = stand.bill
        if kept is not None and self.limiter.holds(kept):
            return kept
        request = attempt.call.request
        prompt_tokens = estimate_prompt_tokens(request.messages)
        bill = self.limiter.bill(attempt.target, prompt_tokens, request.max_tokens)
        if kept is not None and (kept.quota, kept.costs) != (bill.quota, bill.costs):
            stand.leave(has_passed=False)  # it keeps the time since when it waits
        stand.bill = bill
        return bill

    def leave(
        self, attempt: Try, reservation: Reservation, answer: Answer, error: BaseException | None
    ) -> None:
        """Key, breaker and limiter learn how it ended: at once, and in one round trip."""
        target, tests_key = attempt.target, attempt.call.request.tests_key
        self.key_rests.hear(target, error, is_test=tests_key)
        if not tests_key:
            self.breakers.leave(target, attempt.id, error, attempt.took_s)
        if isinstance(error, GatewayError) and not was_reached(error):
            self.limiter.cancel(reservation)
            return
        told = self._settlement(attempt, reservation.quota, answer, error)
        self.limiter.settle(reservation, told)

    def _settlement(
        self, attempt: Try, quota: Quota, answer: Answer, error: BaseException | None
    ) -> Settlement:
        target = attempt.target
        policy = self._policy.at(target.provider, target.model).limiter
        is_heard = bool(policy.header_feedback)
        readings = learned(quota, target.limit_headers, answer.headers, error) if is_heard else {}
        return Settlement(
            tokens=tokens_used(attempt.call.request, answer, error),
            neurons=read_cost(target, answer.headers, Unit.NEURONS),
            block_s=rest_s(quota, error, policy, int(self._clock.unix() * _US)),
            readings=readings,
            refused=refused_for(quota, error, readings),
            is_answered=error is None,
        )

    async def drain(self) -> None:
        await self._background.drain()

    def _doors(self, attempt: Try, bill: Bill, stand: Stand) -> Doors:
        """A test of a key is there to find out: only the quota holds it back."""
        quota = self.limiter.door(bill, stand)
        if attempt.call.request.tests_key:
            return Doors(attempt.id, quota=quota)
        target = attempt.target
        return Doors(
            attempt.id, self.key_rests.door(target), self.breakers.door(target), quota=quota
        )

    def _admitted(self, attempt: Try, bill: Bill, passage: Passage) -> Reservation:
        if not attempt.call.request.tests_key:
            self.breakers.enter_alone(attempt.target, attempt.id)
        return self.limiter.taken(bill, passage.now_us)

    def _refusal(self, attempt: Try, bill: Bill, passage: Passage, stand: Stand) -> GatewayError:
        number, wait_us, why = passage.number, passage.wait_us, passage.why
        if passage.in_the_way == "key":
            return self.key_rests.refusal(number, why, wait_us)
        if passage.in_the_way == "breaker":
            return self.breakers.refusal(attempt.target, number, wait_us, why)
        return self.limiter.refusal(bill, passage, stand)

    def _enter_alone(self, attempt: Try, bill: Bill, stand: Stand) -> Reservation:
        target = attempt.target
        if attempt.call.request.tests_key:
            return self.limiter.reserve_alone(bill, stand)
        self.key_rests.check_alone(target)
        self.breakers.check_alone(target)
        reservation = self.limiter.reserve_alone(bill, stand)
        self.breakers.enter_alone(target, attempt.id)
        return reservation

    async def _undo(self, asking: asyncio.Future[object], attempt: Try, bill: Bill) -> None:
        try:
            passage = Passage.read(await asking)  # type: ignore[arg-type]  # Redis' reply
        except StoreAwayError:
            return
        if passage.in_the_way:
            self.limiter.forsake(bill.quota)
            return
        self.limiter.cancel(self._admitted(attempt, bill, passage))
        if not attempt.call.request.tests_key:
            self.breakers.leave(attempt.target, attempt.id, asyncio.CancelledError())

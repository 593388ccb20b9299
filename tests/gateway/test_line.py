"""Who waits for a quota gets it in the order of arrival, whichever process it waits in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from gateway import keys
from gateway.client import Gateway
from gateway.clock import SystemClock
from gateway.errors import AllTargetsFailed, RateLimited
from gateway.limiter.limiter import Limiter, Stand
from gateway.policy import DispatchPolicy, LimiterPolicy, Policy, StaticPolicy
from gateway.store import Store
from gateway.types import CacheMode, ChatRequest, Message, Priority, Target, parse_limits
from tests.gateway.test_window import ManualClock
from tests.gateway.upstream import Received, Upstream, Wire, chat, make_target, upstream

_PATIENT = Policy(
    limiter=LimiterPolicy(max_wait_s=20, max_wait_last_s=20, warmup_share=1.0),
    dispatch=DispatchPolicy(provider_concurrency=2000, queue_length=2000, ageing_s=0.6),
)
_STATE = keys.quota_state("acme", "1", "m")


async def echo(wire: Wire, request: Received) -> None:
    await wire.reply(200, chat(request.json["messages"][-1]["content"]))


def said(
    text: str, priority: Priority = Priority.NORMAL, max_tokens: int | None = None
) -> ChatRequest:
    return ChatRequest(
        (Message("user", text),), max_tokens=max_tokens, priority=priority, cache=CacheMode.SKIP
    )


def texts(provider: Upstream) -> list[str]:
    return [one.json["messages"][-1]["content"] for one in provider.received]


@asynccontextmanager
async def processes(
    redis_url: str, count: int, *, longest_s: float = 20
) -> AsyncIterator[list[Gateway]]:
    """Engines that share nothing but Redis, as those of several processes do."""
    limiter = replace(_PATIENT.limiter, max_wait_last_s=longest_s)
    policy = StaticPolicy(replace(_PATIENT, limiter=limiter))
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(Gateway.open(redis_url, policy=policy))
            for _ in range(count)
        ]


async def in_line(redis_url: str, number: int) -> None:
    """Until the first ones of so many processes wait."""
    async with asyncio.timeout(10):
        while len(await tickets(redis_url)) != number:  # noqa: ASYNC110 - another process' memory
            await asyncio.sleep(0.005)


async def tickets(redis_url: str) -> list[str]:
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        fields = [str(one) for one in await redis.hkeys(_STATE)]
    return [one for one in fields if one.startswith("t:")]


async def until_waiting(gateway: Gateway, count: int) -> None:
    lines = gateway._admissions.limiter.lines
    async with asyncio.timeout(10):
        while len(lines) < count:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0)


async def test_first_come_first_served(redis_url: str) -> None:
    """Of one priority by arrival, whatever the process."""
    async with processes(redis_url, 2) as (one, other), upstream(echo) as provider:
        target = provider.target(limits=parse_limits({"rps": 2}))
        await asyncio.gather(*(one.complete(said("first"), [target]) for _ in range(2)))
        tasks = []
        for number in range(6):
            gateway = (one, other)[number % 2]
            tasks.append(asyncio.create_task(gateway.complete(said(str(number)), [target])))
            await until_waiting(gateway, number // 2 + 1)
        done = await asyncio.gather(*tasks)
        order = texts(provider)[2:]
    # Two a second: those of one second may overtake one another on the wire.
    assert [sorted(order[at : at + 2]) for at in (0, 2, 4)] == [["0", "1"], ["2", "3"], ["4", "5"]]
    assert all(answer.attempts[-1].limiter_wait_s > 0.5 for answer in done)


async def test_priority_goes_first(redis_url: str) -> None:
    """An interactive call passes those that wait already."""
    async with processes(redis_url, 1) as (gateway,), upstream(echo) as provider:
        target = provider.target(limits=parse_limits({"rps": 1}))
        await gateway.complete(said("first"), [target])
        order = [Priority.BATCH, Priority.NORMAL, Priority.INTERACTIVE]
        tasks = []
        for number, priority in enumerate(order, start=1):
            call = gateway.complete(said(priority, priority), [target])
            tasks.append(asyncio.create_task(call))
            await until_waiting(gateway, number)
        await asyncio.gather(*tasks)
        assert texts(provider) == ["first", "interactive", "normal", "batch"]


class Shared:
    """Limiters of several processes on one Redis, whose time the test moves."""

    def __init__(self, stores: list[Store]) -> None:
        self.clock = ManualClock()
        self.limiters = [Limiter(one, StaticPolicy(_PATIENT), self.clock) for one in stores]

    async def may(
        self, process: int, target: Target, tokens: int, stand: Stand | None = None
    ) -> bool:
        self.clock.now_us += 1  # nobody comes at the same moment as another
        try:
            await self.limiters[process].reserve(target, tokens - 1, 1, stand)
        except RateLimited:
            return False
        return True


@pytest.fixture
async def shared(redis_url: str) -> AsyncIterator[Shared]:
    async with Store(redis_url) as one, Store(redis_url) as other:
        yield Shared([one, other])


async def test_a_batch_call_does_not_wait_for_ever(shared: Shared) -> None:
    """However many interactive calls come in another process: after a while it is before them."""
    target = make_target(limits=parse_limits({"rps": 1}))
    batch = Stand(rank_us=20_000_000, would_wait_s=60)
    assert await shared.may(0, target, 1)
    assert not await shared.may(0, target, 1, batch)
    passed = []
    for _ in range(30):  # a call each 1.02 s, when the window is empty again
        shared.clock.now_us += 1_020_000
        passed.append(await shared.may(1, target, 1))
        if await shared.may(0, target, 1, batch):
            break
    assert passed == [True] * 19 + [False]


async def test_a_large_call_is_not_passed_by_small_ones(shared: Shared) -> None:
    """Room that comes free is kept for it, though small ones of another process would fit."""
    target = make_target(limits=parse_limits({"tps": 100}))
    large, small = Stand(would_wait_s=60), Stand(would_wait_s=60)
    assert await shared.may(0, target, 60)
    assert not await shared.may(0, target, 90, large)
    assert not await shared.may(1, target, 20, small)  # 60 + 20 would fit
    shared.clock.now_us += 1_020_000
    assert not await shared.may(1, target, 20, small)
    assert await shared.may(1, target, 10)  # there is room for it and the large one
    assert await shared.may(0, target, 90, large)
    assert not await shared.may(1, target, 20, small)
    shared.clock.now_us += 1_020_000
    assert await shared.may(1, target, 20, small)


async def test_the_ticket_of_a_dead_process_expires(shared: Shared, redis_url: str) -> None:
    """It holds room for three seconds after it was last heard of; then nothing is left of it."""
    target = make_target(limits=parse_limits({"tpm": 100}))
    assert await shared.may(0, target, 60)
    assert not await shared.may(0, target, 90, Stand(would_wait_s=90))
    assert not await shared.may(1, target, 20)
    shared.clock.now_us += 3_000_000
    assert await shared.may(1, target, 20)
    await in_line(redis_url, 0)


async def test_who_would_wait_too_long_is_told_how_long(redis_url: str) -> None:
    """Those before it count: of sixty at one a second the later ones are told, and do not wait."""
    async with processes(redis_url, 1) as (gateway,), upstream(echo) as provider:
        target = provider.target(limits=parse_limits({"rps": 1}))
        await gateway.complete(said("first"), [target])
        waiting = [
            asyncio.create_task(gateway.complete(said(str(number)), [target]))
            for number in range(60)
        ]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        for task in waiting:
            task.cancel()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        refused = [one for one in ended if isinstance(one, AllTargetsFailed)]
    assert refused
    # Twenty seconds are the longest wait; the last of the sixty would have waited a minute.
    assert all(19 < (one.retry_after_s or 0) < 63 for one in refused)


async def test_ten_thousand_waiters_cancelled_at_once(redis_url: str) -> None:
    """Nothing of them stays: no place in line, no ticket, no reservation, no task."""
    target = make_target(limits=parse_limits({"rpm": 3}))
    tasks_before = len(asyncio.all_tasks())
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(_PATIENT), SystemClock())
        for _ in range(3):
            await limiter.reserve(target, 1, 1)
        bill = limiter.bill(target, 1, 1)

        async def wait() -> None:
            stand = Stand(would_wait_s=60, due_us=1, bill=bill)
            waiter, _ = limiter.stand_in_line(bill, stand, 60)
            try:
                await waiter.turn(60)
            finally:
                stand.leave(has_passed=False)

        tasks = [asyncio.create_task(wait()) for _ in range(10_000)]
        while len(limiter.lines) < 10_000:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert len(limiter.lines) == 0
        await store.drain()
        assert await tickets(redis_url) == []
        assert (await limiter.levels([target]))[target].limits[0].left == 0
    assert len(asyncio.all_tasks()) == tasks_before


async def test_leaving_the_line_takes_the_ticket_along(redis_url: str) -> None:
    """Who is cancelled while it waits leaves its room to the other processes at once."""
    async with processes(redis_url, 1) as (gateway,), upstream(echo) as provider:
        target = provider.target(limits=parse_limits({"rps": 1}))
        await gateway.complete(said("first"), [target])
        waiting = asyncio.create_task(gateway.complete(said("second"), [target]))
        await in_line(redis_url, 1)
        waiting.cancel()
        await asyncio.wait([waiting])
        await in_line(redis_url, 0)
    assert texts(provider) == ["first"]


async def test_what_is_given_back_goes_to_who_waits(redis_url: str) -> None:
    """A wish of 900 tokens that took ten: the next call need not wait for the second's end."""
    async with processes(redis_url, 1, longest_s=100) as (gateway,):
        release = asyncio.Event()

        async def script(wire: Wire, request: Received) -> None:
            if "slow" in request.body.decode():
                await release.wait()
            await echo(wire, request)

        async with upstream(script) as provider:
            target: Target = provider.target(limits=parse_limits({"tpm": 1000}))
            slow = asyncio.create_task(gateway.complete(said("slow", max_tokens=900), [target]))
            async with asyncio.timeout(10):
                while not provider.received:  # noqa: ASYNC110 - the other end of a socket
                    await asyncio.sleep(0.005)
            next_one = asyncio.create_task(gateway.complete(said("next", max_tokens=900), [target]))
            await until_waiting(gateway, 1)
            release.set()
            await slow
            done = await next_one
    assert 0 < done.attempts[-1].limiter_wait_s < 30

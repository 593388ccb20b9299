"""Who goes first when calls must wait, and what they are told when too many do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.client import Gateway
from gateway.dispatch import Dispatcher
from gateway.errors import AllTargetsFailed, QueueFull
from gateway.policy import DispatchPolicy, Policy, StaticPolicy
from gateway.types import ChatRequest, Message, Outcome, Priority
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import Received, Wire, chat, upstream


def dispatcher(*, concurrency: int = 1, queue: int = 100) -> Dispatcher:
    policy = DispatchPolicy(provider_concurrency=concurrency, queue_length=queue)
    return Dispatcher(StaticPolicy(Policy(dispatch=policy)))


async def until_waiting(dispatch: Dispatcher, count: int) -> None:
    while dispatch.running().get("acme", (0, 0))[1] < count:  # noqa: ASYNC110 - a count
        await asyncio.sleep(0)


async def test_interactive_calls_go_first() -> None:
    """By priority, then by arrival."""
    dispatch, order = dispatcher(), []

    async def call(name: str, priority: Priority) -> None:
        async with dispatch.place("acme", priority):
            order.append(name)

    async with dispatch.place("acme", Priority.NORMAL):
        tasks = [
            asyncio.create_task(call(name, priority))
            for name, priority in [
                ("batch", Priority.BATCH),
                ("normal 1", Priority.NORMAL),
                ("normal 2", Priority.NORMAL),
                ("interactive", Priority.INTERACTIVE),
            ]
        ]
        await until_waiting(dispatch, 4)
    await asyncio.gather(*tasks)
    assert order == ["interactive", "normal 1", "normal 2", "batch"]
    assert dispatch.running() == {}


async def test_providers_do_not_wait_for_each_other() -> None:
    """A full lane is one provider's."""
    dispatch = dispatcher(queue=0)
    async with dispatch.place("acme", Priority.NORMAL):
        async with dispatch.place("other", Priority.NORMAL):
            assert dispatch.running() == {"acme": (1, 0), "other": (1, 0)}
        with pytest.raises(QueueFull):
            async with dispatch.place("acme", Priority.NORMAL):
                pass


async def test_ten_thousand_waiters_cancelled_at_once() -> None:
    """Their places are free at once; who remains gets his turn."""
    dispatch = dispatcher(queue=20_000)

    async def wait() -> None:
        async with dispatch.place("acme", Priority.NORMAL):
            pass

    async with dispatch.place("acme", Priority.NORMAL):
        tasks = [asyncio.create_task(wait()) for _ in range(10_000)]
        survivor = asyncio.create_task(wait())
        await until_waiting(dispatch, 10_001)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert dispatch.running() == {"acme": (1, 1)}
    await survivor
    assert dispatch.running() == {}


async def test_woken_and_cancelled_in_the_same_moment() -> None:
    """The place handed to a waiter that is cancelled goes on to the next."""
    dispatch, passed = dispatcher(), []

    async def wait(name: str) -> None:
        async with dispatch.place("acme", Priority.NORMAL):
            passed.append(name)

    async with dispatch.place("acme", Priority.NORMAL):
        first = asyncio.create_task(wait("first"))
        second = asyncio.create_task(wait("second"))
        await until_waiting(dispatch, 2)
    first.cancel()  # it has been woken, and has not run yet
    await asyncio.gather(first, second, return_exceptions=True)
    assert passed == ["second"]
    assert dispatch.running() == {}


async def test_a_full_queue_is_said(redis_url: str) -> None:
    """Back-pressure instead of memory: the call is refused, or goes elsewhere."""
    policy = replace(QUICK, dispatch=DispatchPolicy(provider_concurrency=1, queue_length=0))
    started, release = asyncio.Event(), asyncio.Event()

    async def slow(wire: Wire, _: Received) -> None:
        started.set()
        await release.wait()
        await wire.reply(200, chat())

    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(slow) as provider,
    ):
        request = ChatRequest(messages=(Message("user", "Hi"),))
        running = asyncio.create_task(gateway.complete(request, [provider.target()]))
        await started.wait()
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(request, [provider.target()])
        assert caught.value.outcome is Outcome.QUEUE_FULL
        release.set()
        await running


async def test_ten_thousand_who_leave_at_once() -> None:
    """They free what they held in line, and the next one's turn comes as if they never were."""
    dispatch = dispatcher(queue=10_000)

    async def call() -> None:
        async with dispatch.place("acme", Priority.INTERACTIVE):
            pass

    async with dispatch.place("acme", Priority.NORMAL):
        leaving = [asyncio.create_task(call()) for _ in range(9_999)]
        staying = asyncio.create_task(call())
        await until_waiting(dispatch, 10_000)
        for task in leaving:
            task.cancel()
        await asyncio.wait(leaving)
        assert dispatch.running() == {"acme": (1, 1)}
    await staying
    assert dispatch.running() == {}

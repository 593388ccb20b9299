"""How many calls run at once follows what the provider bears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from gateway.dispatch import Dispatcher, LaneView
from gateway.dispatch.concurrency import Concurrency
from gateway.dispatch.lane import Lane
from gateway.errors import QueueFull
from gateway.policy import DispatchPolicy, Policy, StaticPolicy
from gateway.types import Priority

_POLICY = DispatchPolicy(provider_concurrency=100, least_concurrency=5, latency_tolerance=2.0)


def after(latencies: list[float], found: Concurrency, running: int = 100) -> int:
    for latency_s in latencies:
        found.answered(latency_s, running, _POLICY)
    return found.limit(_POLICY)


def test_it_begins_with_what_the_policy_allows() -> None:
    """And stays there while answers take what they take."""
    found = Concurrency()
    assert found.limit(_POLICY) == 100
    assert after([1.0, 3.0] * 200, found) == 100


def test_slower_answers_lower_it_and_usual_ones_raise_it_again() -> None:
    """Four times as slow as usual: half as many are tried, step by step, never below the least."""
    found = Concurrency()
    after([1.0] * 600, found)
    slow = after([6.0] * 50, found)
    assert 40 < slow < 80
    assert after([30.0] * 300, found) >= 5
    assert after([1.0] * 2000, found) == 100


def test_refusals_lower_it_once_for_all_that_were_under_way() -> None:
    """A burst of refusals is one piece of news."""
    found = Concurrency()
    for number in range(50):
        found.refused(started_at=1.0, now=2.0 + number, policy=_POLICY)
    assert found.limit(_POLICY) == 90
    found.refused(started_at=3.0, now=4.0, policy=_POLICY)
    assert found.limit(_POLICY) == 81
    for number in range(100):
        found.refused(started_at=10.0 + number, now=10.0 + number, policy=_POLICY)
    assert found.limit(_POLICY) == 5


def test_few_calls_prove_nothing() -> None:
    """The number does not grow while nobody needs it."""
    found = Concurrency()
    for number in range(10):
        found.refused(started_at=number, now=number, policy=_POLICY)
    low = found.limit(_POLICY)
    assert after([1.0] * 500, found, running=low // 3) == low
    assert after([1.0] * 50, found, running=low) > low


def test_the_bounds_may_change_at_any_time() -> None:
    """A policy that allows fewer holds at once, whatever was found."""
    fewer = DispatchPolicy(provider_concurrency=3, least_concurrency=5)
    assert Concurrency().limit(fewer) == 3


def a_dispatcher(**fields: float) -> Dispatcher:
    return Dispatcher(StaticPolicy(Policy(dispatch=DispatchPolicy(**fields))))  # type: ignore[arg-type]


async def test_a_lower_priority_is_a_later_arrival() -> None:
    """A batch call goes before every interactive one that comes twenty seconds later."""
    dispatch, order = a_dispatcher(provider_concurrency=1, ageing_s=10), []
    now = asyncio.get_running_loop().time()

    async def call(name: str, priority: Priority, arrived: float) -> None:
        async with dispatch.place("acme", priority, arrived=arrived):
            order.append(name)

    async with dispatch.place("acme", Priority.NORMAL):
        tasks = [
            asyncio.create_task(call(name, priority, now + later_s))
            for name, priority, later_s in [
                ("batch", Priority.BATCH, 0),
                ("normal", Priority.NORMAL, 9),
                ("interactive 18", Priority.INTERACTIVE, 18),
                ("interactive 21", Priority.INTERACTIVE, 21),
            ]
        ]
        while dispatch.running()["acme"][1] < 4:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["interactive 18", "normal", "batch", "interactive 21"]


async def test_who_waits_knows_when_it_begins() -> None:
    """Nobody knows before a call has shown how long one takes; then each one does, in order."""
    dispatch = a_dispatcher(provider_concurrency=1)

    @asynccontextmanager
    async def two_waiting() -> AsyncIterator[LaneView]:
        async with dispatch.place("acme", Priority.NORMAL) as place:
            place.started()
            waiting = [asyncio.create_task(wait(one)) for one in (Priority.BATCH, Priority.NORMAL)]
            while dispatch.running()["acme"][1] < 2:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0)
            yield dispatch.lanes()["acme"]
            await asyncio.sleep(0.02)
        await asyncio.gather(*waiting)

    async def wait(priority: Priority) -> None:
        async with dispatch.place("acme", priority):
            pass

    async with two_waiting() as lane:
        assert (lane.running, lane.concurrency) == (1, 1)
        assert [one.priority for one in lane.waiting] == [Priority.NORMAL, Priority.BATCH]
        assert [one.expected_s for one in lane.waiting] == [None, None]
    async with two_waiting() as lane:
        first, second = (one.expected_s or 0 for one in lane.waiting)
        assert first >= 0.02
        assert second == pytest.approx(2 * first)
    assert dispatch.lanes()["acme"].waiting == ()


async def test_a_wait_without_hope_is_refused_at_once() -> None:
    """And says when to come back; one that merely takes too long ends after the bound."""
    dispatch = a_dispatcher(provider_concurrency=1, queue_wait_s=0.05)
    async with dispatch.place("acme", Priority.NORMAL) as place:
        with pytest.raises(QueueFull, match=r"within 0\.05 s"):
            await dispatch.place("acme", Priority.NORMAL).__aenter__()
        place.started()
        await asyncio.sleep(0.06)
    async with dispatch.place("acme", Priority.NORMAL):
        with pytest.raises(QueueFull, match="turn would come") as caught:
            await dispatch.place("acme", Priority.NORMAL).__aenter__()
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s >= 0.06
    assert dispatch.running() == {}


class Places(RuleBasedStateMachine):
    """A lane against what it promises, whoever comes, leaves and is cancelled when."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.policy = DispatchPolicy(provider_concurrency=3, least_concurrency=1, queue_length=5)
        self.lane = Lane()
        self.tasks: list[asyncio.Task[None]] = []
        self.running: list[asyncio.Event] = []
        self.arrived = 0.0

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(6):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    async def call(self, priority: Priority, arrived: float) -> None:
        with suppress(QueueFull):
            await self.lane.enter(priority, arrived, 1000, self.policy)
            done = asyncio.Event()
            self.running.append(done)
            try:
                await done.wait()
            finally:
                self.running.remove(done)
                self.lane.leave(self.policy)

    @rule(priority=st.sampled_from(list(Priority)), later_s=st.floats(0, 15))
    def come(self, priority: Priority, later_s: float) -> None:
        self.arrived += later_s
        self.tasks.append(self.loop.create_task(self.call(priority, self.arrived)))
        self.settle()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.running)).set()
        self.settle()

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.tasks)).cancel()
        self.settle()

    @precondition(lambda self: self.running and self.lane.waiting)
    @rule()
    def finish_and_cancel_the_next(self) -> None:
        """In the same moment: the place must not be lost with it."""
        self.running[0].set()
        for task in self.tasks:
            task.cancel()
        self.settle()

    @rule()
    def be_refused(self) -> None:
        self.lane.concurrency.refused(self.arrived, self.arrived, self.policy)

    @invariant()
    def nothing_is_lost(self) -> None:
        self.tasks = [one for one in self.tasks if not one.done()]
        assert self.lane.running == len(self.running) <= 3
        assert self.lane.waiting == len(self.tasks) - len(self.running) <= 5
        assert len(self.lane.queue(self.policy, 0)) == self.lane.waiting
        limit = self.lane.concurrency.limit(self.policy)
        assert self.lane.waiting == 0 or self.lane.running >= limit

    def teardown(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.settle()
        assert self.lane.is_idle
        self.loop.close()


TestPlaces = Places.TestCase
TestPlaces.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

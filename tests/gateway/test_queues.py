"""Queues as all processes see them: who waits where, pausing, draining, taking a call out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway.client import Gateway
from gateway.dispatch.sharing import ALL, Queues
from gateway.dispatch.underway import CallView, Stage
from gateway.errors import AllTargetsFailed, CalledOff
from gateway.events import CallEvent
from gateway.policy import DispatchPolicy, StaticPolicy
from gateway.store import StoreAwayError
from gateway.types import Completion, Limit, Outcome, Priority, Unit, Window
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import Received, Upstream, Wire, ask, chat, event, upstream
from tests.servers import RedisServer

PATIENT = replace(
    QUICK,
    dispatch=DispatchPolicy(provider_concurrency=1, queue_wait_s=30),
    limiter=replace(QUICK.limiter, max_wait_s=30, max_wait_last_s=30),
    timeouts=replace(QUICK.timeouts, first_token_s=30, stall_s=30, answer_s=60),
)

WAITS_LONG = replace(PATIENT, limiter=replace(PATIENT.limiter, max_wait_s=300, max_wait_last_s=300))


class Held:
    """An origin that answers when it is let."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.asked = 0
        self.left = 0

    async def __call__(self, wire: Wire, received: Received) -> None:
        self.asked += 1
        waiting = asyncio.create_task(self.let_go.wait())
        gone = asyncio.create_task(wire.gone())
        try:
            await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            gone.cancel()
        if not self.let_go.is_set():
            self.left += 1
            return
        await wire.reply(200, chat("Pong."))


class Heard:
    def __init__(self) -> None:
        self.events: list[CallEvent] = []

    def emit(self, event: CallEvent) -> None:
        self.events.append(event)


Opened = Callable[..., Coroutine[Any, Any, Gateway]]


@pytest.fixture
async def opened(redis_url: str) -> AsyncIterator[Opened]:
    """Engines that share their queues, as processes do."""
    async with AsyncExitStack() as stack:

        async def open_one(name: str = "web a", **fields: Any) -> Gateway:
            policy = StaticPolicy(fields.pop("policy", PATIENT))
            making = Gateway.open(
                redis_url, policy=policy, process=name, shares_queues=True, **fields
            )
            return await stack.enter_async_context(making)

        yield open_one


@pytest.fixture
async def origin() -> AsyncIterator[tuple[Upstream, Held]]:
    held = Held()
    async with upstream(held) as server:
        yield server, held
        held.let_go.set()


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.02)


async def seen(gateway: Gateway, is_so: Callable[[Queues], bool]) -> Queues:
    async with asyncio.timeout(20):
        while not is_so(found := await gateway.queues.all()):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.02)
    return found


def calls_of(found: Queues) -> list[CallView]:
    return [call for process in found.processes for call in process.calls]


def stages(found: Queues) -> list[Stage]:
    return [Stage(one.stage) for one in calls_of(found)]


async def test_every_process_tells_who_runs_and_who_waits(
    opened: Opened, origin: tuple[Upstream, Held]
) -> None:
    """Another process sees it; by stage, with names and priority."""
    server, held = origin
    one, other = await opened("web a"), await opened("web b")
    target = server.target(model="wren-8b")
    tasks = [
        asyncio.create_task(
            one.complete(ask(str(n), priority=Priority.BATCH, owner="mara", source="api"), [target])
        )
        for n in range(3)
    ]
    found = await seen(other, lambda q: stages(q) == [Stage.SENT, Stage.PLACE, Stage.PLACE])
    assert [one.process for one in found.processes] == ["web a", "web b"]
    (lane,) = found.processes[0].lanes
    assert (lane.running, lane.waiting, lane.limit, lane.refused) == (1, 2, 1, 0)
    view = calls_of(found)[1]
    assert (view.owner, view.source, view.priority) == ("mara", "api", "batch")
    assert (view.provider, view.model) == (target.provider, "wren-8b")
    held.let_go.set()
    await asyncio.gather(*tasks)
    await seen(other, lambda q: stages(q) == [])


async def test_a_call_that_waits_for_its_quota_is_seen(
    opened: Opened, origin: tuple[Upstream, Held]
) -> None:
    """With the time after which it may be sent."""
    server, held = origin
    held.let_go.set()
    gateway = await opened(policy=WAITS_LONG)
    target = server.target(limits=(Limit(Unit.REQUESTS, Window.MINUTE, 1),))
    await gateway.complete(ask("first"), [target])
    task = asyncio.create_task(gateway.complete(ask("second", deadline_s=600), [target]))
    found = await seen(gateway, lambda q: stages(q) == [Stage.QUOTA])
    (view,) = calls_of(found)
    assert 0 < (view.expected_s or 0) < 90
    await gateway.queues.call_off(view.call_id, "Enough.")
    with pytest.raises(CalledOff):
        await task


@pytest.mark.parametrize("which", [0, 1])
async def test_a_call_is_taken_out_from_another_process(
    opened: Opened, origin: tuple[Upstream, Held], which: int
) -> None:
    """One that a provider works on, and one that waits: what it held is given to the next."""
    server, held = origin
    heard = Heard()
    one, other = await opened("web a", sink=heard), await opened("web b")
    tasks = [asyncio.create_task(one.complete(ask(str(n)), [server.target()])) for n in range(3)]
    found = await seen(other, lambda q: stages(q) == [Stage.SENT, Stage.PLACE, Stage.PLACE])
    call_id = calls_of(found)[which].call_id

    await other.queues.call_off(call_id, "Taken out by mara.")

    with pytest.raises(CalledOff, match=r"Taken out by mara\."):
        await tasks[which]
    assert tasks[which].cancelling() == 0
    if which == 0:
        await until(lambda: held.left == 1)  # the provider is told by its connection
    held.let_go.set()
    others = await asyncio.gather(*(task for task in tasks if task is not tasks[which]))
    assert [one.text for one in others] == ["Pong.", "Pong."]
    await one.drain()
    off = next(event for event in heard.events if event.call_id == call_id)
    assert (off.outcome, off.detail) == (Outcome.CANCELLED, "Taken out by mara.")
    assert all(lane.running == 0 for lane in one.lanes().values())


async def test_a_stream_whose_reader_is_busy_ends_with_its_next_item(opened: Opened) -> None:
    """Only the call is taken out: its reader's own task goes on."""

    async def endless(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        for number in range(200):
            await wire.send(event(f"{number} "))
            await asyncio.sleep(0.02)

    gateway = await opened()
    async with upstream(endless) as server:
        said = []

        async def read() -> None:
            async for item in gateway.stream(ask(call_id="c1"), [server.target()]):
                said.append(item)
                if len(said) == 2:
                    await gateway.queues.call_off("c1", "Enough.")
                    await asyncio.sleep(0.1)  # what its reader does meanwhile is its own

        with pytest.raises(CalledOff):
            await read()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert len(said) < 100


async def test_a_callers_own_cancellation_stays_one(
    opened: Opened, origin: tuple[Upstream, Held]
) -> None:
    gateway = await opened()
    server, _ = origin
    task = asyncio.create_task(gateway.complete(ask(call_id="c1"), [server.target()]))
    await seen(gateway, lambda q: stages(q) == [Stage.SENT])
    task.cancel()
    with suppress(StoreAwayError):
        await gateway.queues.call_off("c1", "Too late.")
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_paused_provider_lets_nobody_in_until_it_is_let_go(
    opened: Opened, origin: tuple[Upstream, Held]
) -> None:
    server, held = origin
    held.let_go.set()
    one, other = await opened("web a"), await opened("web b")
    target = server.target()
    await other.queues.hold(target.provider, "pause", for_s=60, by="mara", reason="upgrade")
    later = await opened("web c")  # one that begins later knows it too
    await asyncio.sleep(1)  # what is promised: within a second
    tasks = [
        asyncio.create_task(gateway.complete(ask(str(n)), [target]))
        for n, gateway in enumerate((one, other, later))
    ]
    found = await seen(one, lambda q: stages(q) == [Stage.PLACE] * 3)
    assert found.holds[target.provider].by == "mara"
    assert all(call.expected_s is None for call in calls_of(found))
    assert held.asked == 0

    assert await later.queues.release(target.provider)
    assert not await later.queues.release(target.provider)

    answers = await asyncio.gather(*tasks)
    assert all(isinstance(answer, Completion) for answer in answers)


async def test_a_drained_provider_finishes_what_it_has_and_refuses_the_rest(
    opened: Opened, origin: tuple[Upstream, Held]
) -> None:
    """New calls go to the next target at once."""
    server, held = origin
    gateway = await opened()
    target, spare = server.target(), server.target(provider="spare")
    tasks = [asyncio.create_task(gateway.complete(ask(str(n)), [target])) for n in range(2)]
    await seen(gateway, lambda q: stages(q) == [Stage.SENT, Stage.PLACE])
    await gateway.queues.hold(target.provider, "drain", for_s=60, by="mara", reason="")
    with pytest.raises(AllTargetsFailed, match="drained"):
        await gateway.complete(ask("new"), [target])
    held.let_go.set()
    assert (await gateway.complete(ask("new"), [target, spare])).provider == "spare"
    assert len(await asyncio.gather(*tasks)) == 2
    assert gateway.lanes()[target.provider].refused == 2


async def test_all_providers_are_held_and_a_wish_ends_by_its_time(
    opened: Opened, origin: tuple[Upstream, Held]
) -> None:
    server, held = origin
    held.let_go.set()
    gateway = await opened()
    await gateway.queues.hold(ALL, "drain", for_s=1.5, by="mara", reason="")
    with pytest.raises(AllTargetsFailed):
        await gateway.complete(ask("now"), [server.target()])
    await seen(gateway, lambda q: not q.holds)
    await until(lambda: not gateway.lanes()[server.target().provider].hold)
    assert (await gateway.complete(ask("later"), [server.target()])).text == "Pong."


async def test_without_redis_it_raises_and_this_process_still_obeys(
    opened: Opened, origin: tuple[Upstream, Held], redis_server: RedisServer
) -> None:
    server, _ = origin
    gateway = await opened()
    task = asyncio.create_task(gateway.complete(ask(call_id="c1"), [server.target()]))
    await seen(gateway, lambda q: stages(q) == [Stage.SENT])
    redis_server.kill()
    with pytest.raises(StoreAwayError):
        await gateway.queues.call_off("c1", "Enough.")
    with pytest.raises(CalledOff):
        await task
    with pytest.raises(StoreAwayError):
        await gateway.queues.all()

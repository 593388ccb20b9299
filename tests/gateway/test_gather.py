"""Many calls at once through one engine, on real sockets."""

from __future__ import annotations

import asyncio

import pytest

from gateway.client import Gateway
from gateway.errors import InvalidRequest
from gateway.gather import Progress
from gateway.types import Completion
from tests.gateway.upstream import Received, Wire, answers, ask, chat, upstream


async def parrot(wire: Wire, request: Received) -> None:
    """Says the prompt again; refuses the word "bad"; the earlier asked, the later it answers."""
    text = request.json["messages"][-1]["content"]
    if text == "bad":
        await wire.reply(400, b"{}")
        return
    await asyncio.sleep(0.001 * (20 - int(text)))
    await wire.reply(200, chat(text))


async def test_order_is_kept_and_a_failure_harms_none(gateway: Gateway) -> None:
    """Answers stand where their requests stood, an error in place of its own only."""
    words = [str(number) for number in range(20)]
    words[7] = "bad"
    heard: list[Progress] = []
    async with upstream(parrot) as provider:
        ended = await gateway.gather(
            [ask(word) for word in words], [provider.target()], on_progress=heard.append
        )
    assert isinstance(ended[7], InvalidRequest)
    texts = [one.text if isinstance(one, Completion) else "bad" for one in ended]
    assert texts == words
    assert [one.done for one in heard] == list(range(1, 21))
    assert {one.total for one in heard} == {20}
    assert all(ended[one.index] is one.ended for one in heard)


async def test_no_more_at_once_than_asked_for(gateway: Gateway) -> None:
    """The rest waits here, not in the providers' queues."""
    running = most = 0

    async def script(wire: Wire, _: Received) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        await wire.reply(200, chat())

    async with upstream(script) as provider:
        requests = [ask(str(number)) for number in range(12)]
        ended = await gateway.gather(requests, [provider.target()], at_once=3)
    assert len(ended) == 12
    assert all(isinstance(one, Completion) for one in ended)
    assert 1 <= most <= 3


async def test_nothing_to_do(gateway: Gateway) -> None:
    """No requests, no answers."""
    async with upstream(answers) as provider:
        assert await gateway.gather([], [provider.target()]) == []


async def test_cancelling_leaves_nothing_behind(gateway: Gateway) -> None:
    """Calls under way are dropped upstream, the others never begin."""

    async def hang(wire: Wire, _: Received) -> None:
        await wire.gone()

    async with upstream(hang) as provider:
        requests = [ask(str(number)) for number in range(50)]
        task = asyncio.create_task(gateway.gather(requests, [provider.target()], at_once=5))
        async with asyncio.timeout(10):
            while len(provider.received) < 5:  # noqa: ASYNC110 - the other end of a socket
                await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            while provider.running:  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.005)
        assert len(provider.received) == 5
    assert all(lane.running == 0 for lane in gateway.lanes().values())


async def test_a_callers_own_error_ends_it(gateway: Gateway) -> None:
    """What the progress callback raises is raised, as it is."""

    def refuse(_: Progress) -> None:
        raise LookupError("mine")

    async with upstream(answers) as provider:
        with pytest.raises(LookupError, match="mine"):
            await gateway.gather([ask("1"), ask("2")], [provider.target()], on_progress=refuse)

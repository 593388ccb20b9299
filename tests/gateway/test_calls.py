"""A call's way over real sockets: answers, fallback, trail, cancellation, events."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway import keys
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, InvalidRequest, NotConfigured, StreamCut
from gateway.events import CallEvent
from gateway.types import (
    Attempt,
    ChatRequest,
    Chunk,
    Completion,
    Limit,
    Outcome,
    Started,
    StreamItem,
    Target,
    Unit,
    Window,
)
from tests.gateway.upstream import (
    Received,
    Wire,
    answers,
    ask,
    chat,
    event,
    make_target,
    refuses,
    upstream,
)


async def items_of(gateway: Gateway, request: ChatRequest, *targets: Target) -> list[StreamItem]:
    return [item async for item in gateway.stream(request, targets)]


async def events(gateway: Gateway, redis: Redis) -> list[CallEvent]:
    await gateway.drain()
    entries: Any = await redis.xrange(keys.EVENT_STREAM)
    told = [CallEvent.from_json(fields[b"event"]) for _, fields in entries]
    return sorted(told, key=lambda one: one.at)  # concurrent calls may be told of in any order


async def test_a_plain_answer(gateway: Gateway) -> None:
    """The request says what was asked, the completion what came."""
    async with upstream(answers) as provider:
        request = ask(temperature=0.5, max_tokens=50, stop=("END",), seed=3)
        completion = await gateway.complete(request, [provider.target("m1")])
    assert (completion.text, completion.finish_reason) == ("Hello.", "stop")
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (3, 7)
    assert [one.outcome for one in completion.attempts] == [Outcome.ANSWERED]
    sent = provider.received[0]
    assert sent.line == "POST /v1/chat/completions HTTP/1.1"
    assert sent.headers["authorization"] == "Bearer sk-made-up-for-tests"
    assert sent.headers["user-agent"].startswith("FreeLLM")
    assert sent.json == {
        "model": "m1",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0.5,
        "max_tokens": 50,
        "stop": ["END"],
        "seed": 3,
    }


async def test_a_streamed_answer(gateway: Gateway) -> None:
    """Who answers, the text in pieces, then all of it; usage is estimated where none came."""
    async with upstream(answers) as provider:
        items = await items_of(gateway, ask(), provider.target())
    assert isinstance(items[0], Started)
    assert [item.text for item in items if isinstance(item, Chunk)] == ["Hel", "lo."]
    completion = items[-1]
    assert isinstance(completion, Completion)
    assert completion.text == "Hello."
    assert completion.usage.is_estimated
    assert completion.first_token_s is not None
    assert provider.received[0].json["stream_options"] == {"include_usage": True}


async def test_the_next_target_answers_when_one_refuses(gateway: Gateway) -> None:
    """The failed attempt comes first, with its reason; the trail holds both."""
    refusal = {"error": {"message": "No such model"}}
    async with upstream(refuses(404, refusal)) as first, upstream(answers) as second:
        items = await items_of(gateway, ask(), first.target("gone"), second.target("m"))
    failed, completion = items[0], items[-1]
    assert isinstance(failed, Attempt)
    assert (failed.outcome, failed.status) == (Outcome.MODEL_GONE, 404)
    assert failed.detail == "Answered 404: No such model"
    assert isinstance(completion, Completion)
    assert [one.outcome for one in completion.attempts] == [Outcome.MODEL_GONE, Outcome.ANSWERED]


async def test_a_failure_that_may_pass_is_tried_again(gateway: Gateway) -> None:
    """A 503 is worth a second attempt at the same target."""
    bodies = iter([(503, b"{}"), (200, chat())])

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(*next(bodies))

    async with upstream(script) as provider:
        completion = await gateway.complete(ask(), [provider.target()])
    assert [one.outcome for one in completion.attempts] == [Outcome.UNAVAILABLE, Outcome.ANSWERED]


async def test_all_targets_failed_says_why(gateway: Gateway) -> None:
    """The error carries the trail, the last cause and the earliest time to come back."""
    async with (
        upstream(refuses(429, {}, {"Retry-After": "30"})) as first,
        upstream(refuses(401, {"error": {"message": "bad key"}})) as second,
    ):
        targets = [first.target("a"), second.target("b", provider="other")]
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), targets)
    assert [one.outcome for one in caught.value.attempts] == [
        Outcome.THROTTLED,
        Outcome.AUTH_REJECTED,
    ]
    assert caught.value.retry_after_s == 30
    assert "Answered 401: bad key" in caught.value.message


async def test_a_request_at_fault_is_not_carried_around(gateway: Gateway) -> None:
    """What one provider calls a bad request, the next would, too."""
    refusal = {"error": {"message": "temperature must be below 2"}}
    async with upstream(refuses(400, refusal)) as first, upstream(answers) as second:
        with pytest.raises(InvalidRequest, match="temperature must be below 2"):
            await gateway.complete(ask(), [first.target("a"), second.target("b")])
    assert second.received == []


async def test_no_target_at_all(gateway: Gateway) -> None:
    """An empty list is a clear error."""
    with pytest.raises(NotConfigured):
        await gateway.complete(ask(), [])


async def test_an_unknown_wire_format_is_said(gateway: Gateway) -> None:
    """The trail names the format that is not spoken."""
    with pytest.raises(AllTargetsFailed, match="wire format “morse”"):
        await gateway.complete(ask(), [make_target(dialect="morse")])


@pytest.mark.parametrize("before", [0, 260, 270, 275, 280, 290])
async def test_the_key_never_comes_back(gateway: Gateway, redis_client: Redis, before: int) -> None:
    """A provider that repeats the key in its refusal does not put it into trail or event.

    Not its first letters either, where what was said is too long to be shown whole.
    """
    said = "Incorrect API key: sk-made-up-for-tests"
    refusal = {"error": {"message": "x" * before + said}}
    async with upstream(refuses(401, refusal)) as provider:
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [provider.target()])
    told = repr(await events(gateway, redis_client)) + repr(caught.value.attempts)
    assert "sk-" not in told + str(caught.value)
    assert before or "Incorrect API key: …" in told


async def test_stop_cancels_upstream_at_once(gateway: Gateway, redis_client: Redis) -> None:
    """Closing the stream closes the provider's connection; nobody is blamed."""
    gone = asyncio.Event()

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("Once upon a time"))
        await wire.gone()
        gone.set()

    limit = Limit(Unit.TOKENS, Window.MINUTE, 10_000)
    async with upstream(script) as provider:
        target = provider.target(limits=(limit,))
        async with aclosing(gateway.stream(ask(max_tokens=5000), [target])) as items:
            async for item in items:
                if isinstance(item, Chunk):
                    break
        await asyncio.wait_for(gone.wait(), 1)
    (told,) = await events(gateway, redis_client)
    assert told.outcome is Outcome.CANCELLED
    assert [one.outcome for one in told.attempts] == [Outcome.CANCELLED]
    left = (await gateway.levels([target]))[target].limits[0].left
    assert 9_900 < left < 10_000  # what was generated counts, the reserved rest came back


async def test_a_cancelled_task_frees_its_reservation(gateway: Gateway) -> None:
    """Cancelled before any answer: the connection is dropped, the prompt alone stays counted."""
    reached, gone = asyncio.Event(), asyncio.Event()

    async def script(wire: Wire, _: Received) -> None:
        reached.set()
        await wire.gone()
        gone.set()

    limit = Limit(Unit.TOKENS, Window.MINUTE, 10_000)
    async with upstream(script) as provider:
        target = provider.target(limits=(limit,))
        task = asyncio.create_task(gateway.complete(ask(max_tokens=5000), [target]))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 1)
    await gateway.drain()
    assert (await gateway.levels([target]))[target].limits[0].left > 9_900


async def test_no_fallback_after_the_first_chunk(gateway: Gateway, redis_client: Redis) -> None:
    """Two answers are never spliced: the stream is cut, and says so."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("The answer is"))

    async with upstream(script) as first, upstream(answers) as second:
        with pytest.raises(StreamCut, match="ended before the answer did"):
            await items_of(gateway, ask(), first.target("a"), second.target("b"))
    assert second.received == []
    (told,) = await events(gateway, redis_client)
    assert told.outcome is Outcome.CUT


async def test_a_stream_that_breaks_before_its_first_chunk_falls_back(gateway: Gateway) -> None:
    """Nothing was shown yet, so the next target may answer."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(b": PROCESSING\n\n")
        wire.reset()

    async with upstream(script) as first, upstream(answers) as second:
        items = await items_of(gateway, ask(), first.target("a"), second.target("b"))
    assert isinstance(items[-1], Completion)
    assert items[-1].model == "b"


async def test_every_call_is_told_of_once(gateway: Gateway, redis_client: Redis) -> None:
    """Answered, failed: one event each, with tokens, times and the trail; no prompt in it."""
    async with upstream(answers) as good, upstream(refuses(403)) as bad:
        await gateway.complete(ask("secret words", source="playground"), [good.target()])
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [bad.target()])
    first, second = await events(gateway, redis_client)
    assert [one.outcome for one in first.attempts] == [Outcome.ANSWERED]
    assert (first.outcome, first.source, first.completion_tokens) == (
        Outcome.ANSWERED,
        "playground",
        7,
    )
    assert second.outcome is Outcome.FORBIDDEN
    assert second.detail.endswith("Answered 403")
    assert "secret words" not in first.to_json()


async def test_a_deadline_covers_everything(gateway: Gateway) -> None:
    """A call with little time left ends in time, though the provider would be waited for."""

    async def hang(wire: Wire, _: Received) -> None:
        await wire.gone()

    async with upstream(hang) as provider:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(Exception, match="time ended") as caught:
            await gateway.complete(ask(deadline_s=0.1), [provider.target()])
        assert loop.time() - began < 0.4
    assert getattr(caught.value, "outcome", None) is Outcome.DEADLINE_PASSED


async def test_a_key_test_gives_the_providers_own_verdict(gateway: Gateway) -> None:
    """`probe` raises what the target said, and passes by cache and breaker."""
    async with upstream(refuses(401)) as wrong, upstream(answers) as right:
        with pytest.raises(Exception, match="Answered 401") as caught:
            await gateway.probe(wrong.target())
        assert getattr(caught.value, "outcome", None) is Outcome.AUTH_REJECTED
        assert (await gateway.probe(right.target())).text == "Hello."


async def test_get_fetches_lists(gateway: Gateway) -> None:
    """The same transport fetches lists, with its bounds."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, b'{"data": []}')

    async with upstream(script) as provider:
        url = provider.target().base_url + "/models"
        assert await gateway.get(url, headers={"X-Key": "k"}) == b'{"data": []}'
        with pytest.raises(Exception, match="longer than"):
            await gateway.get(url, max_bytes=5)
    assert provider.received[0].line.startswith("GET /v1/models")

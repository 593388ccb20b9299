"""Tools, thoughts and what was left out, all the way through the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.events import CallEvent
from gateway.quirks import Quirks
from gateway.types import (
    Attempt,
    CacheMode,
    ChatRequest,
    Chunk,
    Completion,
    ImagePart,
    Message,
    Outcome,
    Reasoning,
    Tool,
    ToolCallDelta,
    parse_limits,
)
from tests.factories import make_event
from tests.gateway.test_calls import items_of
from tests.gateway.upstream import Received, Script, Wire, answers, ask, chat, event, upstream

_REPLIES = Path(__file__).parent / "replies/openai"
_TOOLS = (Tool("weather", "Tells the weather.", {"type": "object"}),)
_ONE_CALL = (
    b'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c1", "function": '
    b'{"name": "weather", "arguments": "{}"}}]}}]}\n\n'
)
_CITIES = ['{"city": "Paris"}', '{"city": "Rome"}']


async def calls_tools(wire: Wire, request: Received) -> None:
    """The recorded answer that is nothing but thoughts and tool calls."""
    if request.json.get("stream"):
        await wire.start_stream()
        await wire.send((_REPLIES / "tools.stream.txt").read_bytes())
    else:
        await wire.reply(200, (_REPLIES / "tools.json").read_bytes())


async def test_a_streamed_call_of_tools(gateway: Gateway) -> None:
    """Thoughts and pieces of calls as they come; at the end the calls are whole."""
    async with upstream(calls_tools) as provider:
        items = await items_of(gateway, ask(tools=_TOOLS), provider.target())
    thoughts = [one.text for one in items if isinstance(one, Reasoning)]
    assert "".join(thoughts) == "Two cities, two calls."
    pieces = [one for one in items if isinstance(one, ToolCallDelta)]
    joined = ["".join(one.arguments for one in pieces if one.index == at) for at in (0, 1)]
    assert joined == _CITIES
    done = items[-1]
    assert isinstance(done, Completion)
    assert [one.arguments for one in done.tool_calls] == _CITIES
    assert (done.text, done.reasoning) == ("", "Two cities, two calls.")
    assert done.finish_reason == "tool_calls"
    assert done.attempts[0].outcome is Outcome.ANSWERED


async def test_calls_of_tools_alone_are_an_answer(gateway: Gateway) -> None:
    """Whole or streamed, no text is needed."""
    async with upstream(calls_tools) as provider:
        whole = await gateway.complete(ask(tools=_TOOLS), [provider.target()])
        *_, streamed = await items_of(gateway, ask(tools=_TOOLS), provider.target())
    assert isinstance(streamed, Completion)
    assert whole.tool_calls == streamed.tool_calls
    assert provider.received[0].json["tools"][0]["function"]["name"] == "weather"


async def test_a_kept_answer_is_replayed_with_all_it_said(gateway: Gateway) -> None:
    """From the cache a stream has the same thoughts, text and calls."""
    request = ask(tools=_TOOLS, temperature=0)
    async with upstream(calls_tools) as provider:
        *_, first = await items_of(gateway, request, provider.target())
        await gateway.drain()
        kept = ask(tools=_TOOLS, temperature=0, cache=CacheMode.ONLY)
        replay = await items_of(gateway, kept, provider.target())
    assert len(provider.received) == 1
    assert isinstance(first, Completion)
    assert isinstance(replay[-1], Completion)
    assert replay[-1].cached
    assert replay[-1].tool_calls == first.tool_calls
    assert [one.name for one in replay if isinstance(one, ToolCallDelta)] == ["weather"] * 2
    assert "".join(one.text for one in replay if isinstance(one, Reasoning)) == first.reasoning


async def test_no_second_answer_follows_a_first_thought(gateway: Gateway) -> None:
    """What a model thought is part of its answer: another's must not be put behind it."""

    async def thinks_and_breaks(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(b'data: {"choices": [{"delta": {"reasoning": "Hm"}}]}\n\n')

    async with upstream(thinks_and_breaks) as breaking, upstream(answers) as good:
        with pytest.raises(Exception, match="broke off"):
            await items_of(gateway, ask(), breaking.target("a"), good.target("b"))
    assert good.received == []


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_was_left_out_is_in_the_trail(gateway: Gateway, is_streamed: bool) -> None:
    """In the attempt, in words for a person, in the answer, and in the event."""
    quirks = Quirks(drops=frozenset({"seed", "top_p"}))
    request = ask(seed=3, top_p=0.5, temperature=0.1)
    async with upstream(answers) as provider:
        target = provider.target(quirks=quirks)
        if is_streamed:
            done = (await items_of(gateway, request, target))[-1]
        else:
            done = await gateway.complete(request, [target])
    assert isinstance(done, Completion)
    assert provider.received[0].json.keys() & {"seed", "top_p", "temperature"} == {"temperature"}
    assert done.dropped == done.attempts[0].dropped == ("seed", "top_p")
    assert done.attempts[0].detail == "Sent without seed, top_p: not taken there."


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(
    ("text", "is_answer"),
    [("safe", False), (" Unsafe\n", False), ("Safe.", True), ("saf", True), ("unsafely", True)],
)
async def test_a_filters_word_is_no_answer(
    gateway: Gateway, text: str, is_answer: bool, is_streamed: bool
) -> None:
    """A relay's verdict in the model's place goes to the next target, unseen."""

    async def script(wire: Wire, request: Received) -> None:
        if not request.json.get("stream"):
            await wire.reply(200, chat(text))
            return
        await wire.start_stream()
        letters = b"".join(event(letter) for letter in text)
        await wire.send(letters + event(finish_reason="stop") + b"data: [DONE]\n\n")

    async with upstream(script) as relay, upstream(answers) as good:
        quirks = Quirks(not_answers=frozenset({"safe", "unsafe"}))
        targets = (relay.target("a", quirks=quirks), good.target("b"))
        if is_streamed:
            items = await items_of(gateway, ask(), *targets)
            done = items[-1]
            shown = "".join(one.text for one in items if isinstance(one, Chunk))
        else:
            done = await gateway.complete(ask(), targets)
            shown = done.text
    assert isinstance(done, Completion)
    assert done.text == shown == (text if is_answer else "Hello.")
    assert done.attempts[0].outcome is (Outcome.ANSWERED if is_answer else Outcome.CONTENT_BLOCKED)


def test_an_event_carries_what_was_left_out() -> None:
    """Through JSON and back."""
    attempt = Attempt("p", "m", "l", Outcome.ANSWERED, dropped=("seed",))
    told = make_event(attempts=(attempt,))
    assert CallEvent.from_json(told.to_json()) == told


def without_usage(said: bytes) -> Script:
    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(said + event(finish_reason="stop") + b"data: [DONE]\n\n")

    return script


@pytest.mark.parametrize(
    "said",
    [
        event("A few words of an answer."),
        b'data: {"choices": [{"delta": {"reasoning": "A few words of a thought."}}]}\n\n',
        _ONE_CALL,
    ],
)
async def test_usage_that_nobody_reports(gateway: Gateway, said: bytes) -> None:
    """It is guessed from all that came, and marked so."""
    async with upstream(without_usage(said)) as provider:
        done = (await items_of(gateway, ask(tools=_TOOLS), provider.target()))[-1]
    assert isinstance(done, Completion)
    assert done.usage.is_estimated
    assert done.usage.prompt_tokens > 10
    assert done.usage.completion_tokens >= 5


async def test_a_picture_is_reserved_for(gateway: Gateway) -> None:
    """It costs hundreds of tokens: a quota that has no room for them is not asked."""
    picture = Message("user", parts=(ImagePart("data:image/png;base64,AAAA"),))
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"tpm": 400}))
        await gateway.complete(ask(max_tokens=10), [target])
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ChatRequest((picture,), max_tokens=10), [target])
    assert len(provider.received) == 1

"""The engine against the simulator: every dialect and header style, with exact limits."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.simulator.server import running_simulator
from gateway.types import (
    ChatRequest,
    Chunk,
    Completion,
    JsonFormat,
    Message,
    NamedTool,
    Outcome,
    Secret,
    Started,
    Target,
    Tool,
    parse_limits,
)
from tests.factories import make_scenario, make_sim_provider

_AUTH = {
    "openai": "bearer",
    "cohere": "bearer",
    "gemini": "x-goog-api-key",
    "nlpcloud": "Authorization: Token",
}
_KEY = "sim-key-0000000001"


def ask(text: str = "What is the capital of France?", **fields: object) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    return ChatRequest(messages=messages, **fields)  # type: ignore[arg-type]  # test data


def target(url: str, dialect: str = "openai", **fields: object) -> Target:
    provider = make_sim_provider()
    return Target(
        **{  # type: ignore[arg-type]  # test data
            "provider": provider.slug,
            "model": provider.models[0].id,
            "base_url": f"{url}/{provider.slug}/v1",
            "dialect": dialect,
            "auth": _AUTH[dialect],
            "key": Secret(_KEY),
            "key_id": "1",
            **fields,
        }
    )


@pytest.mark.parametrize("dialect", sorted(_AUTH))
async def test_every_dialect_answers(gateway: Gateway, dialect: str) -> None:
    """Plain and streamed, with the usage that the provider reports."""
    scenario = make_scenario(make_sim_provider(dialect=dialect, keys=(_KEY,)))
    async with running_simulator(scenario) as url:
        plain = await gateway.complete(ask(max_tokens=200), [target(url, dialect)])
        items = [item async for item in gateway.stream(ask(), [target(url, dialect)])]
    assert plain.text
    assert plain.usage.is_estimated == (dialect == "nlpcloud")  # which reports none
    assert plain.finish_reason in ("stop", "length")
    streamed = items[-1]
    assert isinstance(items[0], Started)
    assert isinstance(streamed, Completion)
    assert streamed.text == "".join(item.text for item in items if isinstance(item, Chunk))
    assert streamed.usage.is_estimated == (dialect == "nlpcloud")


_WEATHER = Tool(
    "weather", "Tells it.", {"type": "object", "properties": {"city": {"type": "string"}}}
)
_CLOCK = Tool("clock")


@pytest.mark.parametrize("dialect", ["openai", "cohere", "gemini"])
async def test_tools_and_json(gateway: Gateway, dialect: str) -> None:
    """A call, its result and the answer to it; JSON of a form: plain and streamed."""
    scenario = make_scenario(make_sim_provider(dialect=dialect, keys=(_KEY,)))
    wish = ask(tools=(_CLOCK, _WEATHER), tool_choice=NamedTool("weather"))
    as_json = ask(response_format=JsonFormat(_WEATHER.parameters))
    async with running_simulator(scenario) as url:
        one = target(url, dialect)
        plain = await gateway.complete(wish, [one])
        *_, streamed = [item async for item in gateway.stream(wish, [one])]
        for done in (plain, streamed):
            assert isinstance(done, Completion)
            (call,) = done.tool_calls
            assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "simulated"})
            assert (done.text, done.finish_reason) == ("", "tool_calls")
        turns = (
            *wish.messages,
            Message("assistant", tool_calls=plain.tool_calls),
            Message("tool", "Rain.", tool_call_id=plain.tool_calls[0].id),
        )
        after = await gateway.complete(ChatRequest(turns, tools=(_WEATHER,)), [one])
        assert (bool(after.text), after.tool_calls) == (True, ())
        assert json.loads((await gateway.complete(as_json, [one])).text) == {"city": "simulated"}


@pytest.mark.parametrize("dialect", sorted(_AUTH))
async def test_every_dialect_refuses(gateway: Gateway, dialect: str) -> None:
    """A wrong key and a used-up quota are told apart, in every format."""
    provider = make_sim_provider(dialect=dialect, keys=(_KEY,), limits=parse_limits({"rpm": 1}))
    async with running_simulator(make_scenario(provider)) as url:
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [target(url, dialect, key=Secret("wrong-key-0000001"))])
        assert caught.value.outcome is Outcome.AUTH_REJECTED
        await gateway.complete(ask(), [target(url, dialect)])
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [target(url, dialect)])
    outcomes = {one.outcome for one in caught.value.attempts}
    assert outcomes <= {Outcome.THROTTLED, Outcome.QUOTA_EXHAUSTED, Outcome.RATE_LIMITED}
    assert caught.value.attempts[0].outcome is not Outcome.RATE_LIMITED


async def test_known_limits_are_never_refused(gateway: Gateway) -> None:
    """Fifty callers and a quota of twenty: twenty answers, and the provider refuses nobody."""
    limits = parse_limits({"rpm": 20, "rpd": 1000, "tpm": 100_000})
    provider = make_sim_provider(keys=(_KEY,), limits=limits)
    async with running_simulator(make_scenario(provider)) as url:
        one = target(url, limits=limits)
        calls = (gateway.complete(ask(max_tokens=50), [one]) for _ in range(50))
        results = await asyncio.gather(*calls, return_exceptions=True)
    answered = [one for one in results if isinstance(one, Completion)]
    refused = [one for one in results if isinstance(one, AllTargetsFailed)]
    assert len(answered) == 20
    assert {one.outcome for one in refused} == {Outcome.RATE_LIMITED}
    assert len(answered) + len(refused) == 50

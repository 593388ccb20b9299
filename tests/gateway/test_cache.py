"""The completion cache: what is kept, for whom, and that one call is enough for many."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from gateway import keys
from gateway.cache.answers import answer_key, decode, encode, flight_key
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, NotCached, ProviderUnavailable, StreamCut
from gateway.policy import CachePolicy, StaticPolicy
from gateway.types import (
    CacheMode,
    ChatRequest,
    Chunk,
    Completion,
    Message,
    Started,
    Target,
    Usage,
)
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import (
    Received,
    Wire,
    answers,
    chat,
    event,
    make_target,
    refuses,
    upstream,
)
from tests.gateway.upstream import ask as ask_anything


def ask(text: str = "Hi", **fields: Any) -> ChatRequest:
    return ask_anything(text, **{"temperature": 0, **fields})


async def test_the_same_question_is_asked_once(gateway: Gateway) -> None:
    """The second answer comes from memory, at no attempt and with its own call id."""
    async with upstream(answers) as provider:
        first = await gateway.complete(ask(), [provider.target()])
        again = ask()
        second = await gateway.complete(again, [provider.target()])
    assert (first.cached, second.cached) == ("", "memory")
    assert (second.text, second.usage, second.attempts) == (first.text, first.usage, ())
    assert second.call_id == again.call_id
    assert len(provider.received) == 1


async def test_another_process_finds_it_in_redis(gateway: Gateway, redis_url: str) -> None:
    """Redis is the tier that processes share; from there it moves into memory."""
    async with upstream(answers) as provider, Gateway.open(redis_url) as other:
        await gateway.complete(ask(), [provider.target()])
        tiers = [(await other.complete(ask(), [provider.target()])).cached for _ in range(2)]
    assert tiers == ["redis", "memory"]


@pytest.mark.parametrize(
    "different",
    [
        {"text": "Hello"},
        {"owner": "somebody else"},
        {"max_tokens": 5},
        {"seed": 1},
        {"stop": ("x",)},
        {"temperature": 0.7},
    ],
)
async def test_what_differs_is_asked_again(gateway: Gateway, different: dict[str, Any]) -> None:
    """Every parameter and the owner are part of the key; a creative request is never kept."""
    async with upstream(answers) as provider:
        await gateway.complete(ask(), [provider.target()])
        completion = await gateway.complete(ask(**different), [provider.target()])
        assert completion.cached == ""
        assert (await gateway.complete(ask(), [provider.target("other")])).cached == ""


async def test_modes(gateway: Gateway) -> None:
    """Skip neither reads nor keeps, refresh keeps, only reads and never calls."""
    creative: dict[str, Any] = {"temperature": 0.9}
    async with upstream(answers) as provider:
        targets = [provider.target()]
        await gateway.complete(ask(cache=CacheMode.SKIP), targets)
        with pytest.raises(NotCached):
            await gateway.complete(ask(cache=CacheMode.ONLY), targets)
        await gateway.complete(ask(cache=CacheMode.REFRESH, **creative), targets)
        kept = await gateway.complete(ask(cache=CacheMode.ONLY, **creative), targets)
        assert (await gateway.complete(ask(**creative), targets)).cached == ""
    assert kept.cached == "memory"
    assert len(provider.received) == 3


async def test_a_streamed_answer_is_kept_and_replayed(gateway: Gateway) -> None:
    """Kept from a stream, replayed as a stream, and as a plain answer."""
    async with upstream(answers) as provider:
        targets = [provider.target()]
        live = [item async for item in gateway.stream(ask(), targets)]
        replay = [item async for item in gateway.stream(ask(), targets)]
        plain = await gateway.complete(ask(), targets)
    started, *chunks, completion = replay
    assert isinstance(started, Started)
    assert started.cached == "memory"
    assert "".join(one.text for one in chunks if isinstance(one, Chunk)) == "Hello."
    assert isinstance(live[-1], Completion)
    assert isinstance(completion, Completion)
    assert completion.text == live[-1].text == plain.text
    assert completion.tokens_per_s is None
    assert len(provider.received) == 1


async def test_failures_are_not_kept(gateway: Gateway) -> None:
    """A refusal today says nothing about tomorrow."""
    async with upstream(refuses(503)) as provider:
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [provider.target()])
        provider.script = answers
        assert (await gateway.complete(ask(), [provider.target()])).cached == ""


async def test_equal_calls_share_one_flight(redis_url: str) -> None:
    """Sixty callers in three engines miss the same key: one call goes out."""
    release = asyncio.Event()

    async def slow(wire: Wire, _: Received) -> None:
        await release.wait()
        await wire.reply(200, chat())

    policy = StaticPolicy(replace(QUICK, timeouts=replace(QUICK.timeouts, answer_s=20)))
    async with (
        Gateway.open(redis_url, policy=policy) as one,
        Gateway.open(redis_url, policy=policy) as two,
        Gateway.open(redis_url, policy=policy) as three,
        upstream(slow) as provider,
    ):
        calls = [
            asyncio.create_task(engine.complete(ask(), [provider.target()]))
            for engine in (one, two, three) * 20
        ]
        while not provider.received:  # noqa: ASYNC110 - the server counts
            await asyncio.sleep(0.01)
        release.set()
        completions = await asyncio.gather(*calls)
    assert len(provider.received) == 1
    assert {one.text for one in completions} == {"Hello."}
    assert len({one.call_id for one in completions}) == 60


async def test_a_shared_failure_is_shared(gateway: Gateway) -> None:
    """Who waited for a call that failed gets its failure and does not repeat it."""
    async with upstream(refuses(404)) as provider:
        calls = (gateway.complete(ask(), [provider.target()]) for _ in range(10))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(one) for one in results} == {AllTargetsFailed}
    assert len(provider.received) == 1


async def test_the_next_one_goes_when_the_first_is_cancelled(gateway: Gateway) -> None:
    """Another caller's Stop does not cost me my answer."""
    first = asyncio.Event()

    async def script(wire: Wire, _: Received) -> None:
        if first.is_set():
            await wire.reply(200, chat())
            return
        first.set()
        await wire.gone()

    async with upstream(script) as provider:
        leader = asyncio.create_task(gateway.complete(ask(), [provider.target()]))
        await first.wait()
        follower = asyncio.create_task(gateway.complete(ask(), [provider.target()]))
        await asyncio.sleep(0)
        leader.cancel()
        assert (await follower).text == "Hello."
        with pytest.raises(asyncio.CancelledError):
            await leader


async def test_a_dead_holders_lock_comes_back(redis_url: str, redis_client: Redis) -> None:
    """A process that died in flight holds up nobody for longer than its lock lives."""
    policy = replace(QUICK, cache=CachePolicy(flight_ttl_s=1))
    async with (
        Gateway.open(redis_url, policy=StaticPolicy(policy)) as gateway,
        upstream(answers) as provider,
    ):
        lock = keys.flight(flight_key([answer_key(ask(), provider.target())]))
        await redis_client.set(lock, "somebody dead", px=300)
        assert (await gateway.complete(ask(), [provider.target()])).text == "Hello."
        await gateway.drain()
        assert not await redis_client.exists(lock)


async def test_hits_are_counted(gateway: Gateway) -> None:
    """Hits and misses per tier, for the day."""
    async with upstream(answers) as provider:
        for _ in range(3):
            await gateway.complete(ask(), [provider.target()])
    await gateway.drain()
    counters = await gateway.cache_counters(datetime.now(UTC).date().isoformat())
    assert counters["completion:memory:hits"] == 2
    assert counters["completion:redis:misses"] >= 1


async def test_memory_is_bounded_by_bytes(redis_url: str) -> None:
    """A tier of no size keeps nothing, a long answer is not kept at all."""
    cache = CachePolicy(memory_bytes=0, max_entry_bytes=1000)
    policy = StaticPolicy(replace(QUICK, cache=cache))

    async def long(wire: Wire, _: Received) -> None:
        await wire.reply(200, chat("word " * 1000))

    async with Gateway.open(redis_url, policy=policy) as gateway:
        async with upstream(answers) as provider:
            await gateway.complete(ask(), [provider.target()])
            assert (await gateway.complete(ask(), [provider.target()])).cached == "redis"
        async with upstream(long) as provider:
            for _ in range(2):
                assert (await gateway.complete(ask("Tell"), [provider.target()])).cached == ""


@given(text=st.text(max_size=50), tokens=st.integers(0, 10**6), is_estimated=st.booleans())
def test_what_is_kept_comes_back(text: str, tokens: int, is_estimated: bool) -> None:
    """Encoding loses nothing a reader of the answer sees."""
    completion = Completion("1", text, "stop", Usage(1, tokens, is_estimated), "p", "m", "l")
    found = decode(encode(completion), "2", "redis")
    assert found == replace(completion, call_id="2", cached="redis")


@given(kept=st.binary(max_size=100) | st.sampled_from([b"{}", b'{"v": 1}', b"[]", b"null"]))
def test_nonsense_in_the_store_is_a_miss(kept: bytes) -> None:
    """Whatever lies under the key, it raises nothing."""
    assert decode(kept, "2", "redis") is None


@given(one=st.text(max_size=10), other=st.text(max_size=10))
def test_keys_do_not_collide(one: str, other: str) -> None:
    """Texts cut in another place are other requests."""
    target = make_target()
    first = ChatRequest(messages=(Message("user", one), Message("user", other)))
    second = ChatRequest(messages=(Message("user", one + other), Message("user", "")))
    assert (answer_key(first, target) == answer_key(second, target)) == (not other)


async def test_equal_streams_share_one_flight(gateway: Gateway) -> None:
    """Who asks for the same stream while it runs waits for it, and has it replayed."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("Hel"))
        begun.set()
        await go_on.wait()
        await wire.send(event("lo.") + event(finish_reason="stop") + b"data: [DONE]\n\n")

    async def streamed(target: Target) -> list[Any]:
        return [item async for item in gateway.stream(ask(), [target])]

    async with upstream(slowly) as provider:
        asking = [asyncio.create_task(streamed(provider.target())) for _ in range(5)]
        asking.append(asyncio.create_task(_items(gateway, provider.target())))
        await begun.wait()
        await asyncio.sleep(0.05)
        go_on.set()
        answers_given = await asyncio.gather(*asking)
    assert len(provider.received) == 1
    assert [items[-1].text for items in answers_given] == ["Hello."] * 6
    assert sorted(items[-1].cached for items in answers_given) == ["", *["memory"] * 5]


async def _items(gateway: Gateway, target: Target) -> list[Any]:
    return [await gateway.complete(ask(), [target])]


async def test_a_cut_stream_costs_only_its_own_caller(gateway: Gateway) -> None:
    """The one who saw half an answer is told so; the one who waited asks by itself."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def cut_once(wire: Wire, request: Received) -> None:
        if begun.is_set():
            await answers(wire, request)
            return
        await wire.start_stream()
        await wire.send(event("Hel"))
        begun.set()
        await go_on.wait()

    async with upstream(cut_once) as provider:
        first = asyncio.create_task(_consumed(gateway, provider.target()))
        await begun.wait()
        second = asyncio.create_task(gateway.complete(ask(), [provider.target()]))
        await asyncio.sleep(0.05)
        go_on.set()
        with pytest.raises(StreamCut):
            await first
        assert (await second).text == "Hello."


async def _consumed(gateway: Gateway, target: Target) -> None:
    async for _ in gateway.stream(ask(), [target]):
        pass


async def test_who_has_waited_long_goes_by_itself(redis_url: str) -> None:
    """A stream whose reader does not read holds up nobody for ever."""
    policy = StaticPolicy(replace(QUICK, cache=CachePolicy(flight_wait_s=0.2)))
    async with (
        Gateway.open(redis_url, policy=policy) as gateway,
        Gateway.open(redis_url, policy=policy) as other,
        upstream(answers) as provider,
    ):
        reading = gateway.stream(ask(), [provider.target()])
        await anext(reading)
        for engine in (gateway, other):
            assert (await engine.complete(ask(), [provider.target()])).text == "Hello."
        await reading.aclose()


async def test_it_survives_a_restart_on_disk(redis_url: str, tmp_path: Path) -> None:
    """Redis has lost it, the machine's disk has not."""
    async with upstream(answers) as provider:
        async with Gateway.open(redis_url, cache_folder=tmp_path) as gateway:
            await gateway.complete(ask(), [provider.target()])
        async with Redis.from_url(redis_url) as redis:
            await redis.flushall()
        async with Gateway.open(redis_url, cache_folder=tmp_path) as gateway:
            kept = await gateway.complete(ask(), [provider.target()])
            stream = [item async for item in gateway.stream(ask(), [provider.target()])]
    assert kept.cached == "disk"
    assert isinstance(stream[0], Started)
    assert stream[0].cached == "memory"


async def test_the_policy_may_share_between_people(redis_url: str) -> None:
    """Never by default (above); where it is wished, one person's answer does for another."""
    policy = StaticPolicy(replace(QUICK, cache=CachePolicy(shares_between_owners=1)))
    async with Gateway.open(redis_url, policy=policy) as gateway, upstream(answers) as provider:
        await gateway.complete(ask(owner="ada"), [provider.target()])
        kept = await gateway.complete(ask(owner="bob"), [provider.target()])
    assert kept.cached == "memory"


async def test_an_owners_answers_can_be_forgotten(gateway: Gateway) -> None:
    """By the tags that every kept answer bears."""
    async with upstream(answers) as provider:
        for owner in ("ada", "bob"):
            await gateway.complete(ask(owner=owner), [provider.target()])
        await gateway.cache.invalidate_tags("owner:ada")
        target = [provider.target()]
        assert (await gateway.complete(ask(owner="ada"), target)).cached == ""
        assert (await gateway.complete(ask(owner="bob"), target)).cached == "memory"


async def test_an_old_answer_may_replace_a_failure(redis_url: str) -> None:
    """Where the policy says so, and only when nobody answers."""
    lifetimes = replace(QUICK.lifetimes, completion_fresh_s=0, completion_on_error_s=60)
    policy = StaticPolicy(replace(QUICK, lifetimes=lifetimes))
    async with Gateway.open(redis_url, policy=policy) as gateway, upstream(answers) as provider:
        targets = [provider.target()]
        await gateway.complete(ask(), targets)
        assert (await gateway.complete(ask(), targets)).cached == ""
        provider.script = refuses(503)
        assert (await gateway.complete(ask(), targets)).cached == "memory"
        items = [item async for item in gateway.stream(ask(), targets)]
        assert isinstance(items[-1], Completion)
        assert items[-1].text == "Hello."
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask("Something else"), targets)


async def test_an_unchanged_list_is_not_sent_again(gateway: Gateway, redis_url: str) -> None:
    """By its tag, in every process; with another key it is another list."""

    async def listed(wire: Wire, request: Received) -> None:
        if request.headers.get("if-none-match") == '"v1"':
            await wire.reply(304, b"", {"ETag": '"v1"'})
        else:
            await wire.reply(200, b'{"data": [1]}', {"ETag": '"v1"'})

    async with upstream(listed) as provider, Gateway.open(redis_url) as other:
        url = provider.target().base_url + "/models"
        for engine in (gateway, gateway, other):
            assert await engine.get(url, headers={"X-Key": "k"}) == b'{"data": [1]}'
        assert await gateway.get(url, headers={"X-Key": "another"}) == b'{"data": [1]}'
        asked = ["if-none-match" in one.headers for one in provider.received]
        assert asked == [False, True, True, False]
        provider.script = refuses(500)
        with pytest.raises(ProviderUnavailable):
            await gateway.get(url, headers={"X-Key": "k"})

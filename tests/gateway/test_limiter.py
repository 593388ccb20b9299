"""Quotas as calls feel them, and as many processes share them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.types import (
    ChatRequest,
    Limit,
    LimitHeader,
    Message,
    Outcome,
    Target,
    Unit,
    Window,
    parse_limits,
)
from tests.gateway.upstream import (
    Received,
    Wire,
    answers,
    ask,
    chat,
    make_target,
    refuses,
    upstream,
)

_RPM_1 = parse_limits({"rpm": 1})


async def left(gateway: Gateway, target: Target, name: str) -> int:
    await gateway.drain()
    levels = (await gateway.levels([target]))[target]
    return next(one.left for one in levels.limits if one.limit.name == name)


async def test_a_used_up_quota_moves_the_call_on(gateway: Gateway) -> None:
    """The second call of the minute goes to the next target, without asking the first."""
    async with upstream(answers) as provider:
        targets = [provider.target("a", limits=_RPM_1), provider.target("b")]
        await gateway.complete(ask(), targets)
        completion = await gateway.complete(ask(), targets)
    assert completion.model == "b"
    refused = completion.attempts[0]
    assert refused.outcome is Outcome.RATE_LIMITED
    assert refused.detail == "The quota of 1 requests a minute is used up."
    assert refused.retry_after_s is not None
    assert 58 < refused.retry_after_s <= 61.2
    assert [one.json["model"] for one in provider.received] == ["a", "b"]


async def test_models_have_their_own_pool_or_share_one(gateway: Gateway) -> None:
    """The pool "*" holds for all models of a key, a pool per model for one; keys are apart."""
    async with upstream(answers) as provider:
        await gateway.complete(ask(), [provider.target("a", pool="*", limits=_RPM_1)])
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [provider.target("b", pool="*", limits=_RPM_1)])
        await gateway.complete(ask(), [provider.target("b", pool="b", limits=_RPM_1)])
        await gateway.complete(ask(), [provider.target("b", pool="*", key_id="2", limits=_RPM_1)])


async def test_a_short_wait_is_waited_for(gateway: Gateway) -> None:
    """One a second: the second call waits and says for how long."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"rps": 4}))
        completions = [await gateway.complete(ask(), [target]) for _ in range(4)]
        assert all(one.attempts[-1].limiter_wait_s == 0 for one in completions)
        limits = (Limit(Unit.REQUESTS, Window.SECOND, 1),)
        impatient = provider.target("other", limits=limits)
        await gateway.complete(ask(), [impatient])
        with pytest.raises(AllTargetsFailed, match="1 requests a second"):
            await gateway.complete(ask(), [impatient])


async def test_real_usage_replaces_the_estimate(gateway: Gateway) -> None:
    """A wish of 5 000 tokens that took 10 costs 10."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"tpm": 6_000, "rpd": 5}))
        await gateway.complete(ask(max_tokens=5_000), [target])
        assert await left(gateway, target, "tpm") == 6_000 - 10
        assert await left(gateway, target, "rpd") == 4


async def test_a_wish_beyond_the_quota_is_held_to_it(gateway: Gateway) -> None:
    """The prompt fits, so the call goes out, though the wished length would not fit."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"tpm": 100}))
        await gateway.complete(ask(max_tokens=5_000), [target])
    assert len(provider.received) == 1


async def test_what_never_fits_says_so(gateway: Gateway) -> None:
    """A prompt larger than the quota, and a quota of nothing, name no time to come back."""
    long = ChatRequest(messages=(Message("user", "word " * 500),))
    with pytest.raises(AllTargetsFailed, match="larger than the whole quota") as caught:
        await gateway.complete(long, [make_target(limits=parse_limits({"tpm": 100}))])
    assert caught.value.retry_after_s is None
    with pytest.raises(AllTargetsFailed, match="the quota is 0"):
        await gateway.complete(ask(), [make_target(limits=parse_limits({"rpm": 0}))])


async def test_a_refusal_is_no_use_of_tokens(gateway: Gateway) -> None:
    """What the provider refused gives its tokens back, and keeps the request counted."""
    async with upstream(refuses(404)) as provider:
        target = provider.target(limits=parse_limits({"tpm": 6_000, "rpm": 5}))
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [target])
        assert await left(gateway, target, "tpm") == 6_000
        assert await left(gateway, target, "rpm") == 4


async def test_what_was_never_reached_costs_nothing(gateway: Gateway) -> None:
    """No connection, no use."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"tpm": 6_000, "rpm": 5}))
    with pytest.raises(AllTargetsFailed):
        await gateway.complete(ask(), [target])
    assert await left(gateway, target, "tpm") == 6_000
    assert await left(gateway, target, "rpm") == 5


async def test_a_429_rests_the_quota_as_long_as_asked(gateway: Gateway) -> None:
    """Nobody asks again before; the level tells for how long."""
    async with upstream(refuses(429, {}, {"Retry-After": "40"})) as provider:
        target = provider.target()
        with pytest.raises(AllTargetsFailed):
            await gateway.complete(ask(), [target])
        await gateway.drain()
        with pytest.raises(AllTargetsFailed, match="rests") as caught:
            await gateway.complete(ask(), [target])
    assert len(provider.received) == 1
    assert caught.value.retry_after_s == pytest.approx(40, abs=2)
    level = (await gateway.levels([target]))[target]
    assert level.blocked_for_s == pytest.approx(40, abs=2)
    assert level.wait_s == level.blocked_for_s


async def test_headers_lower_what_is_left(gateway: Gateway) -> None:
    """Somebody else used the key: the provider knows better, and only downwards."""
    remaining = iter(["2", "4"])

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, chat(), {"x-remaining": next(remaining), "x-reset": "30s"})

    headers = (
        LimitHeader("X-Remaining", "remaining requests/minute", "integer"),
        LimitHeader("X-Reset", "reset requests/minute", "duration"),
    )
    async with upstream(script) as provider:
        target = provider.target(limits=parse_limits({"rpm": 30}), limit_headers=headers)
        await gateway.complete(ask(), [target])
        assert await left(gateway, target, "rpm") == 2
        await gateway.complete(ask(), [target])
        assert await left(gateway, target, "rpm") == 1


async def test_levels_of_many_targets(gateway: Gateway) -> None:
    """Targets of one pool have one level; one without limits is never in the way."""
    async with upstream(answers) as provider:
        limited = provider.target("a", pool="*", limits=parse_limits({"rpm": 10}))
        sibling = provider.target("b", pool="*", limits=parse_limits({"rpm": 10}))
        free = provider.target("c")
        await gateway.complete(ask(), [limited])
        await gateway.drain()
        levels = await gateway.levels([limited, sibling, free])
    assert levels[limited] == levels[sibling]
    level = levels[limited].limits[0]
    assert (level.left, level.amount, level.wait_s) == (9, 10, 0)
    assert 59 < level.resets_in_s <= 61.2
    assert levels[free].limits == ()
    assert levels[free].wait_s == 0
    assert await gateway.levels([]) == {}


async def test_who_leaves_while_reserving_takes_nothing(gateway: Gateway) -> None:
    """However early or late a call is cancelled, nothing stays taken that was never sent."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"rpm": 100}))
        tasks = [asyncio.create_task(gateway.complete(ask(), [target])) for _ in range(30)]
        for turns, task in enumerate(tasks):
            for _ in range(turns % 6):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        used = 100 - await left(gateway, target, "rpm")
    assert used <= len(provider.received) + provider.connections


async def test_racers_of_one_process(gateway: Gateway) -> None:
    """A hundred at once, twenty pass."""
    async with upstream(answers) as provider:
        target = provider.target(limits=parse_limits({"rpm": 20}))
        calls = (gateway.complete(ask(), [target]) for _ in range(100))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in results) == 20
    assert len(provider.received) == 20


_RACER = """
import asyncio, sys
from gateway.clock import SystemClock
from gateway.errors import RateLimited
from gateway.limiter.limiter import Limiter
from gateway.policy import LimiterPolicy, Policy, StaticPolicy
from gateway.store import Store
from gateway.types import Target, parse_limits

POLICY = StaticPolicy(Policy(limiter=LimiterPolicy(warmup_share=1.0)))

async def main(url):
    target = Target("acme", "m", "http://x", limits=parse_limits({"rpm": 50, "rpd": 60}))
    async with Store(url) as store:
        limiter = Limiter(store, POLICY, SystemClock())
        results = await asyncio.gather(
            *(limiter.reserve(target, 1, 1) for _ in range(25)), return_exceptions=True
        )
    print(sum(not isinstance(one, RateLimited) for one in results))

asyncio.run(main(sys.argv[1]))
"""


def test_racers_of_four_processes(redis_url: str) -> None:
    """A hundred reservations from four processes: exactly the fifty of the quota pass."""
    root = Path(__file__).parents[2]
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, redis_url], stdout=subprocess.PIPE, text=True, cwd=root
        )
        for _ in range(4)
    ]
    passed = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(passed) == 50

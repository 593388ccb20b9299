"""What a call through the engine costs beside a bare client: CPU time and trips to Redis.

Both send the same request over the same transport to the same simulator; rounds alternate, and
the median round counts, so that a busy moment of the machine hits both alike. Trips are counted
by the engine's own way to Redis, commands by Redis itself.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from httpx_aiohttp import AiohttpTransport
from redis.asyncio import Redis

from benchmarks import ground
from benchmarks.providers import provider, scenario, target
from benchmarks.result import Claim, Result
from gateway.client import Gateway
from gateway.policy import DispatchPolicy, Policy, StaticPolicy
from gateway.types import CacheMode, ChatRequest, Message, Target

SCENARIO = scenario("overhead", provider("sim-bench", style="openai"))


_AT_ONCE = 64
_MOST_ADDED_MS = 1.5
# As many places as calls at once: waiting for one's turn is not what is measured here.
_POLICY = Policy(dispatch=DispatchPolicy(provider_concurrency=_AT_ONCE))
_MOST_TRIPS_BEFORE = 2
_MOST_TRIPS_AFTER = 1


@dataclass(frozen=True, slots=True)
class Sides:
    """The bare client and ours, on the same ground."""

    client: httpx.AsyncClient
    gateway: Gateway
    target: Target
    redis_url: str

    async def bare(self) -> None:
        body = {"model": "wren-1b", "messages": [{"role": "user", "content": "ping"}]}
        answer = await self.client.post(f"{self.target.base_url}/chat/completions", json=body)
        json.loads(answer.content)["choices"][0]["message"]["content"]

    async def ours(self) -> None:
        request = ChatRequest((Message("user", "ping"),), cache=CacheMode.SKIP)
        await self.gateway.complete(request, [self.target])


async def run(is_tiny: bool) -> Result:
    rounds, calls = (2, _AT_ONCE) if is_tiny else (9, 256)
    async with _sides() as sides:
        one = await _alternate(sides, rounds, calls, at_once=1)
        many = await _alternate(sides, rounds, calls, at_once=_AT_ONCE)
        trips = [await _trips(sides, temperature) for temperature in (None, 0.0)]
        commands = await _commands(sides, calls)
    before, after = (max(counted) for counted in zip(*trips, strict=True))
    added = {"one at a time": one[1] - one[0], f"{_AT_ONCE} at once": many[1] - many[0]}
    return Result(
        name="overhead",
        unit="ms CPU per call",
        baseline=round(one[0], 3),
        ours=round(one[1], 3),
        limit=round(one[0], 3),
        claims=(
            *(Claim(f"added, {how}", ms, "≤", _MOST_ADDED_MS, "ms") for how, ms in added.items()),
            Claim("trips to Redis before the upstream call", before, "≤", _MOST_TRIPS_BEFORE),
            Claim("trips to Redis after the answer", after, "≤", _MOST_TRIPS_AFTER),
        ),
        details={
            f"ours, {_AT_ONCE} at once": f"{many[1]:.3f} ms, baseline {many[0]:.3f} ms",
            "Redis commands per call, those inside scripts included": commands,
            "rounds": rounds,
            "calls per round": calls,
        },
    )


@asynccontextmanager
async def _sides() -> AsyncIterator[Sides]:
    with ground.simulator(SCENARIO) as url, ground.redis() as redis_url:
        bench = target(url, "sim-bench")
        async with (
            httpx.AsyncClient(transport=AiohttpTransport()) as client,
            Gateway.open(redis_url, policy=StaticPolicy(_POLICY)) as gateway,
        ):
            yield Sides(client, gateway, bench, redis_url)


async def _alternate(sides: Sides, rounds: int, calls: int, *, at_once: int) -> tuple[float, float]:
    """Median CPU milliseconds per call, bare and ours."""

    async def bare() -> float:
        return await _cpu_ms(calls, at_once, sides.bare)

    async def ours() -> float:
        return await _cpu_ms(calls, at_once, sides.ours, sides.gateway.drain)

    await bare()
    await ours()  # both warm
    pairs = [(await bare(), await ours()) for _ in range(rounds)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


async def _cpu_ms(
    calls: int,
    at_once: int,
    call: Callable[[], Awaitable[None]],
    after: Callable[[], Awaitable[None]] | None = None,
) -> float:
    """What comes after an answer (events, real usage) is part of the cost."""
    began = time.process_time()
    for _ in range(calls // at_once):
        await asyncio.gather(*(call() for _ in range(at_once)))
        if after is not None:
            await after()
    return (time.process_time() - began) * 1000 / calls


async def _trips(sides: Sides, temperature: float | None) -> tuple[int, int]:
    """Trips to Redis of one call: until its answer is there, and from then on.

    At temperature 0 a call also looks into the cache, takes a single-flight lock and keeps.
    """
    gateway, began, answered = sides.gateway, 0, 0
    for text in ("first", "second"):  # the first one loads the scripts
        request = ChatRequest((Message("user", text),), temperature=temperature)
        began = gateway.round_trips
        await gateway.complete(request, [sides.target])
        answered = gateway.round_trips
        await gateway.drain()
    return answered - began, gateway.round_trips - answered


async def _commands(sides: Sides, calls: int) -> float:
    """As Redis counts them; our own question is not counted."""
    async with Redis.from_url(sides.redis_url) as redis:
        began = int((await redis.info("stats"))["total_commands_processed"])
        for _ in range(calls):
            await sides.ours()
        await sides.gateway.drain()
        ended = int((await redis.info("stats"))["total_commands_processed"])
    return round((ended - began - 1) / calls, 1)

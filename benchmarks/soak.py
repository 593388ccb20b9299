"""A hundred thousand calls while providers fail: nothing may grow, nothing may be left behind.

Two thirds are streamed, one in fifty is cancelled on the way, and a few quotas run dry. Memory is
what the system says this process holds, looked at after each tenth of the calls.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from redis.asyncio import Redis

from benchmarks import ground
from benchmarks.providers import provider, scenario, target
from benchmarks.result import Claim, Result
from gateway.client import Gateway
from gateway.errors import GatewayError
from gateway.policy import DispatchPolicy, LimiterPolicy, Policy, StaticPolicy
from gateway.types import CacheMode, ChatRequest, Message, Target

CALLS = 100_000
_AT_ONCE = 64
_PARTS = 10
_POLICY = Policy(
    dispatch=DispatchPolicy(provider_concurrency=_AT_ONCE),
    limiter=LimiterPolicy(max_wait_s=0.2, max_wait_last_s=0.2),
)
_FAULTS = ("error", "cut", "half_json", "reset", "error_in_ok")


async def run(is_tiny: bool) -> Result:
    calls = 200 if is_tiny else CALLS
    with ground.simulator(_scenario()) as url, ground.redis() as redis_url:
        async with Gateway.open(redis_url, policy=StaticPolicy(_POLICY)) as gateway:
            before = _tasks()
            began = time.perf_counter()
            ended: Counter[str] = Counter()
            held_mb: list[float] = []
            sockets: list[int] = []
            for part in range(_PARTS):
                await _calls(gateway, url, calls // _PARTS, part, ended)
                await gateway.drain()
                gc.collect()
                held_mb.append(_resident_mb())
                sockets.append(_sockets())
            took_s = time.perf_counter() - began
            left = _tasks() - before
        async with Redis.from_url(redis_url) as redis:
            keys = await redis.dbsize()
    half = held_mb[_PARTS // 2 - 1]
    growth = 100 * (held_mb[-1] - half) / half
    return Result(
        name="soak",
        unit="MB held, half-way and at the end",
        baseline=round(half, 1),
        ours=round(held_mb[-1], 1),
        claims=(
            Claim("growth over the second half", round(growth, 2), "≤", 5, "%"),
            Claim("tasks left behind", left, "=", 0),
            Claim("sockets more than half-way", sockets[-1] - sockets[_PARTS // 2 - 1], "≤", 8),
        ),
        details={
            "calls": f"{calls} in {took_s:.0f} s, {calls / took_s:.0f}/s",
            "how they ended": ", ".join(f"{name} {n}" for name, n in ended.most_common()),
            "MB after each tenth": " ".join(f"{one:.0f}" for one in held_mb),
            "sockets after each tenth": " ".join(map(str, sockets)),
            "keys left in Redis": keys,
        },
    )


async def _calls(gateway: Gateway, url: str, count: int, part: int, ended: Counter[str]) -> None:
    dice = random.Random(part)  # noqa: S311 - a load, not a secret
    targets = _targets(url)
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            ended[await _call(gateway, targets, f"{part}/{number}", dice.random())] += 1

    await asyncio.gather(*(one(number) for number in range(count)))


async def _call(gateway: Gateway, targets: list[Target], text: str, draw: float) -> str:
    request = ChatRequest((Message("user", text),), cache=CacheMode.SKIP, deadline_s=20.0)
    asked = targets[int(draw * 3) :] + targets[: int(draw * 3)]
    work = _streamed(gateway, request, asked) if draw < 2 / 3 else _whole(gateway, request, asked)
    task = asyncio.create_task(work)
    if draw * 1_000 % 1 < 1 / 50:
        await asyncio.wait([task], timeout=0.005)
        task.cancel()
    try:
        await task
    except GatewayError as error:
        return error.outcome
    except asyncio.CancelledError:
        return "cancelled"
    return "answered"


async def _whole(gateway: Gateway, request: ChatRequest, targets: Sequence[Target]) -> None:
    await gateway.complete(request, targets)


async def _streamed(gateway: Gateway, request: ChatRequest, targets: Sequence[Target]) -> None:
    async with aclosing(gateway.stream(request, targets)) as items:
        async for _ in items:
            pass


def _scenario() -> str:
    rates = zip(_FAULTS, (0.01, 0.005, 0.005, 0.005, 0.005), strict=True)
    faults = [f'kind = "{kind}"\nrate = {rate}' for kind, rate in rates]
    three = [
        provider(f"sim-{letter}", faults, style="groq", tokens_per_chunk=40) for letter in "abc"
    ]
    return scenario("soak", *three, seed=3)


def _targets(url: str) -> list[Target]:
    return [target(url, "sim-a"), target(url, "sim-b", {"rpm": 6_000}), target(url, "sim-c")]


def _tasks() -> int:
    """Tasks of this loop, but those that talk to Redis and come and go."""
    return sum(not one.get_name().startswith("redis-") for one in asyncio.all_tasks())


def _sockets() -> int:
    opened = [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    return sum(str(one.readlink()).startswith("socket:") for one in opened)


def _resident_mb() -> float:
    """Of this process, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000

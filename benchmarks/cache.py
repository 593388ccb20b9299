"""What the cache saves when the same things are asked again and again.

Two processes ask 20 000 times, 1 000 different prompts by Zipf's law (exponent 1.1); the baseline
has no cache. The best possible is one call for each prompt that is asked at all. Then 1 000 callers
in four processes ask at once for one answer that nobody has. Hits are timed one by one in the tier
that has them.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import httpx

from benchmarks import ground
from benchmarks.providers import provider, scenario, target
from benchmarks.result import Claim, Result
from gateway.cache.kinds import MODEL_METADATA
from gateway.client import Gateway
from gateway.policy import DispatchPolicy, Policy, StaticPolicy
from gateway.types import ChatRequest, Message

PROMPTS, CALLS, EXPONENT = 1_000, 20_000, 1.1
CALLERS, PROCESSES = 1_000, 4
_AT_ONCE = 16
_POLICY = Policy(dispatch=DispatchPolicy(provider_concurrency=CALLERS))
_HIT_MS = {"memory": 0.05, "disk": 0.5, "redis": 0.6}

_SCENARIO = scenario("cache", provider("sim-bench", first_token_s=0.05))


async def run(is_tiny: bool) -> Result:
    prompts, calls, callers = (20, 200, 40) if is_tiny else (PROMPTS, CALLS, CALLERS)
    asked = _asked(prompts, calls)
    origin, hits = await _zipf(asked)
    alone = await _stampede(callers)
    hit_ms = await _hit_times(100 if is_tiny else 1_000)
    saved, best = 100 * (1 - origin / calls), 100 * (1 - len(set(asked)) / calls)
    return Result(
        name="cache",
        unit="origin calls",
        baseline=calls,
        ours=origin,
        limit=len(set(asked)),
        article="67 % fewer calls, a hit in 12 ms",
        claims=(
            Claim("fewer origin calls", round(saved, 2), "≥", min(90.0, round(best - 2, 2)), "%"),
            Claim("origin calls for one missing key", alone, "=", 1),
            *(
                Claim(f"hit in {tier} (p50)", round(hit_ms[tier], 4), "≤", most, "ms")
                for tier, most in _HIT_MS.items()
            ),
        ),
        details={
            "asked": f"{calls} times, {len(set(asked))} different prompts, best {best:.2f} % fewer",
            "answered by": ", ".join(f"{tier or 'origin'} {n}" for tier, n in hits.most_common()),
            "missing key": f"{callers} callers in {PROCESSES} processes",
        },
    )


def _asked(prompts: int, calls: int) -> list[int]:
    weights = list(itertools.accumulate(1 / rank**EXPONENT for rank in range(1, prompts + 1)))
    dice = random.Random(1)  # noqa: S311 - a load, not a secret
    return dice.choices(range(prompts), cum_weights=weights, k=calls)


async def _zipf(asked: Sequence[int]) -> tuple[int, Counter[str]]:
    """Origin calls, and who answered."""
    counts, origin = await _together(_ask_all, [list(asked[::2]), list(asked[1::2])])
    return origin, sum(counts, Counter())


async def _stampede(callers: int) -> int:
    """Origin calls when everybody asks for the same at once."""
    same = [0] * (callers // PROCESSES)
    _, origin = await _together(_ask_at_once, [same] * PROCESSES)
    return origin


_Work = Callable[[str, str, str, list[int]], Counter[str]]


async def _together(work: _Work, shares: Sequence[list[int]]) -> tuple[list[Counter[str]], int]:
    """Each share in a process of its own; what they tell, and what the origin was asked."""
    loop, context = asyncio.get_running_loop(), multiprocessing.get_context("spawn")
    with (
        ground.simulator(_SCENARIO) as url,
        ground.redis() as redis_url,
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(len(shares), mp_context=context) as pool,
    ):
        await asyncio.gather(*(loop.run_in_executor(pool, time.sleep, 0.2) for _ in shares))
        running = [
            loop.run_in_executor(pool, work, url, redis_url, folder, share) for share in shares
        ]
        counts = await asyncio.gather(*running)
        async with httpx.AsyncClient() as admin:
            state = (await admin.get(f"{url}/_sim/state")).json()
    return counts, state["providers"]["sim-bench"]["requests"]


def _ask_all(url: str, redis_url: str, folder: str, numbers: list[int]) -> Counter[str]:
    return asyncio.run(_asking(url, redis_url, Path(folder), numbers, at_once=_AT_ONCE))


def _ask_at_once(url: str, redis_url: str, folder: str, numbers: list[int]) -> Counter[str]:
    return asyncio.run(_asking(url, redis_url, Path(folder), numbers, at_once=len(numbers)))


async def _asking(
    url: str, redis_url: str, folder: Path, numbers: Sequence[int], *, at_once: int
) -> Counter[str]:
    """By tier, how many answers came from it; those of the origin are under ""."""
    bench = target(url, "sim-bench")
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> str:
        question = Message("user", f"What is {number}?")
        async with places:
            request = ChatRequest((question,), temperature=0.0, max_tokens=60, owner="one")
            return (await gateway.complete(request, [bench])).cached

    policy = StaticPolicy(_POLICY)
    async with Gateway.open(redis_url, policy=policy, cache_folder=folder) as gateway:
        return Counter(await asyncio.gather(*(one(number) for number in numbers)))


async def _hit_times(count: int) -> dict[str, float]:
    """The median milliseconds of a hit in each tier, one at a time.

    An engine just opened has an empty memory; in a folder of its own it has no disk either.
    """
    with ground.redis() as redis_url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await _read(redis_url, folder / "one", count)  # to be kept everywhere
        far = await _read(redis_url, folder / "two", count)
        disk = await _read(redis_url, folder / "one", count)
        near = await _read(redis_url, folder / "one", count, times=2)
    return {"memory": near, "disk": disk, "redis": far}


async def _read(redis_url: str, folder: Path, count: int, times: int = 1) -> float:
    """The median milliseconds of the last reading of each key."""
    took_ms: list[float] = []

    async def load() -> str:
        return "An answer of the usual length. " * 40

    async with Gateway.open(redis_url, cache_folder=folder) as gateway:
        for number in range(count):
            for _ in range(times):
                began = time.perf_counter()
                await gateway.cache.get(MODEL_METADATA, number, load)
                took = (time.perf_counter() - began) * 1_000
            took_ms.append(took)
    return statistics.median(took_ms)

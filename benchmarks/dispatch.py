"""How many answers a second come out of one process that waits for all of them at once.

First 100 model lists of 1.8 s each, as when every provider is asked anew; then answers of 100 ms,
with every strategy of the engine switched on. The baseline is what one writes first: a pool of
ten threads, each with a client of its own kept open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local

import httpx

from benchmarks import ground
from benchmarks.providers import provider, scenario, target
from benchmarks.result import Claim, Result
from gateway.client import Gateway
from gateway.policy import DispatchPolicy, Policy, StaticPolicy
from gateway.types import ChatRequest, Message, Target

LISTS, LIST_S, ANSWER_S = 100, 1.8, 0.1
THREADS = 10
AT_ONCE = 128
# As many places as calls at once: how many a provider bears is not what is measured here.
_POLICY = Policy(dispatch=DispatchPolicy(provider_concurrency=AT_ONCE))


async def run(is_tiny: bool) -> Result:
    lists, list_s, answers = (4, 0.1, 40) if is_tiny else (LISTS, LIST_S, 3_000)
    bench = provider("sim-bench", style="groq", jitter=0.0, list_s=list_s, first_token_s=ANSWER_S)
    with ground.simulator(scenario("dispatch", bench)) as url, ground.redis() as redis_url:
        base_url = f"{url}/sim-bench/v1"
        pool_lists_s = await _timed_pool(lists, lambda client: _list(client, base_url))
        pool_answers = answers // 4 // (1 if is_tiny else 3)
        pool_s = await _timed_pool(pool_answers, lambda client: _answer(client, base_url))
        async with Gateway.open(redis_url, policy=StaticPolicy(_POLICY)) as gateway:
            our_lists_s = await _our_lists_s(gateway, lists, base_url)
            our_s = await _our_answers_s(gateway, answers, target(url, "sim-bench"))
    baseline, ours = pool_answers / pool_s, answers / our_s
    return Result(
        name="dispatch",
        unit="answers/s",
        baseline=round(baseline, 1),
        ours=round(ours, 1),
        limit=AT_ONCE / ANSWER_S,
        article="100 lists: 180 s → 22 s; 15 → 95 answers/s",
        claims=(
            Claim(f"{lists} lists of {list_s} s", round(our_lists_s, 2), "≤", 2.1, "s"),
            Claim("answers beside the threads'", round(ours / baseline, 1), "≥", 5, "times"),
            Claim("answers", round(ours), "≥", 500, "/s"),
        ),
        details={
            "lists one after another": f"{lists * list_s:.3g} s (reckoned)",
            f"lists with {THREADS} threads": f"{pool_lists_s:.2f} s",
            "answers": f"{answers} of {ANSWER_S:g} s, at most {AT_ONCE} at once",
        },
    )


async def _timed_pool(count: int, work: Callable[[httpx.Client], None]) -> float:
    own = local()

    def one(_: int) -> None:
        if not hasattr(own, "client"):
            own.client = httpx.Client(timeout=30)
        work(own.client)

    def all_of_them() -> float:
        with ThreadPoolExecutor(THREADS) as pool:
            began = time.perf_counter()
            list(pool.map(one, range(count)))
            return time.perf_counter() - began

    return await asyncio.to_thread(all_of_them)


def _list(client: httpx.Client, base_url: str) -> None:
    client.get(f"{base_url}/models").raise_for_status()


def _answer(client: httpx.Client, base_url: str) -> None:
    body = {"model": "wren-1b", "messages": [{"role": "user", "content": "ping"}]}
    answer = client.post(f"{base_url}/chat/completions", json=body)
    answer.raise_for_status().json()["choices"][0]["message"]["content"]


async def _our_lists_s(gateway: Gateway, count: int, base_url: str) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(gateway.get(f"{base_url}/models") for _ in range(count)))
    return time.perf_counter() - began


async def _our_answers_s(gateway: Gateway, count: int, target: Target) -> float:
    """All strategies on: queue, quota, breakers, cache look-up, events. Prompts differ."""

    async def one(number: int) -> None:
        async with places:
            request = ChatRequest((Message("user", f"ping {number}"),), temperature=0.0)
            await gateway.complete(request, [target])

    places = asyncio.Semaphore(AT_ONCE)
    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    took_s = time.perf_counter() - began
    await gateway.drain()
    return took_s

"""How many calls are answered, and how soon, while providers fail in four ways.

Each part has three providers of the same model. The bare caller asks the first of them once; the
baseline retries it as one writes it first: four attempts with a second between them. Ours has all
three as targets, with the engine's own defaults. Faults are drawn from a seed.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import httpx

from benchmarks import ground
from benchmarks.providers import provider, scenario, target
from benchmarks.result import Claim, Result
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.policy import Policy, RetryPolicy, StaticPolicy, TimeoutPolicy
from gateway.types import Attempt, CacheMode, ChatRequest, Message, Target

_ATTEMPTS = 4

_FAILING = 'kind = "error"\nstatus = 503\nrate = 0.28'
_FLAPPING = 'kind = "reset"\nrate = 0.42'
_HANGING = 'kind = "hang"'


@dataclass(frozen=True, slots=True)
class Size:
    """`patience_s` for an answer is the same for all three callers."""

    calls: int = 1_500
    outage_s: float = 60.0
    rate: int = 20  # calls a second in the outage
    patience_s: float = 2.0
    pause_s: float = 1.0
    first_token_s: float = 0.2

    @property
    def policy(self) -> Policy:
        return Policy(timeouts=TimeoutPolicy(answer_s=self.patience_s))


_TINY = Size(calls=20, outage_s=0.5, rate=10, patience_s=0.5, pause_s=0.05, first_token_s=0.01)


@dataclass(slots=True)
class Tale:
    """What became of the calls of one caller."""

    took_s: list[float] = field(default_factory=list)
    answered: int = 0

    @property
    def success(self) -> float:
        return 100 * self.answered / len(self.took_s)

    @property
    def mean_s(self) -> float:
        return statistics.fmean(self.took_s)


async def run(is_tiny: bool) -> Result:
    size = _TINY if is_tiny else Size()
    dead = f'kind = "error"\nstatus = 503\nfrom_s = 1.0\nuntil_s = {1 + size.outage_s}'
    parts = {
        "failing": (_FAILING,) * 3,
        "flapping": (_FLAPPING,) * 3,
        "hanging": (_HANGING, "", ""),
        "outage": (dead, "", ""),
    }
    with ground.simulator(_scenario(parts, size)) as url:
        failing = await _part(url, "failing", size)
        flapping = await _part(url, "flapping", size)
        hanging = await _part(url, "hanging", replace(size, calls=size.calls // 10))
        outage, to_the_dead = await _outage(url, size)
    most, budget = failing["ours"].sent.nearest_to_budget()
    most_flapping, budget_flapping = flapping["ours"].sent.nearest_to_budget()
    return Result(
        name="resilience",
        unit="% answered, each provider failing 28 %",
        baseline=round(failing["bare"].tale.success, 2),
        ours=round(failing["ours"].tale.success, 2),
        limit=100,
        article="72 → 97.3 %; 58 → 92 %",
        claims=(
            Claim("answered, failing", round(failing["ours"].tale.success, 2), "≥", 99.9, "%"),
            Claim("answered, flapping", round(flapping["ours"].tale.success, 2), "≥", 99, "%"),
            Claim("answered during the outage", round(outage.success, 2), "≥", 99.9, "%"),
            Claim(
                "mean time beside simple retries, failing",
                round(failing["ours"].tale.mean_s / failing["retrying"].tale.mean_s, 3),
                "≤",
                0.67,
            ),
            Claim("asked of the dead provider in the outage", to_the_dead, "≤", 20, "requests"),
            Claim("retries at one provider, failing", most, "≤", budget, "its budget"),
            Claim(
                "retries at one provider, flapping",
                most_flapping,
                "≤",
                budget_flapping,
                "its budget",
            ),
        ),
        details={
            "failing": _told(failing),
            "flapping": _told(flapping),
            "first provider hangs": _told(hanging),
            "outage": f"{size.outage_s:g} s at {size.rate} calls/s; mean {outage.mean_s:.3f} s",
            "retries, failing": f"{failing['ours'].sent.retries.total()} of {size.calls} calls",
        },
    )


@dataclass(slots=True)
class Sent:
    """What our calls sent to each provider, the failed calls too."""

    firsts: Counter[str] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)

    def note(self, attempts: Sequence[Attempt]) -> None:
        times = Counter(one.provider for one in attempts if one.was_sent)
        self.firsts.update(times.keys())
        self.retries.update({provider: sent - 1 for provider, sent in times.items()})

    def nearest_to_budget(self) -> tuple[int, float]:
        """The retries at a provider and what its budget was, where least of it was left."""
        retry = RetryPolicy()
        both = (
            (self.retries[provider], retry.budget_burst + retry.budget_ratio * firsts)
            for provider, firsts in self.firsts.items()
        )
        return max(both, key=lambda pair: pair[0] - pair[1])


@dataclass(slots=True)
class Side:
    tale: Tale
    sent: Sent = field(default_factory=Sent)


async def _part(url: str, part: str, size: Size) -> dict[str, Side]:
    """The three callers one after another, each with a simulation begun anew."""
    targets = _targets(url, part)
    first = targets[0].base_url
    async with httpx.AsyncClient(timeout=size.patience_s) as client:
        await client.post(f"{url}/_sim/reset")
        bare = await _all(size.calls, lambda number: _simple(client, first, number))
        await client.post(f"{url}/_sim/reset")
        retrying = await _all(
            size.calls, lambda number: _simple(client, first, number, _ATTEMPTS, size.pause_s)
        )
        await client.post(f"{url}/_sim/reset")
    with ground.redis() as redis_url:
        async with Gateway.open(redis_url, policy=StaticPolicy(size.policy)) as gateway:
            sent = Sent()
            ours = await _all(size.calls, lambda number: _ours(gateway, targets, number, sent))
    return {"bare": Side(bare), "retrying": Side(retrying), "ours": Side(ours, sent)}


async def _outage(url: str, size: Size) -> tuple[Tale, int]:
    """A first provider that is dead for a while: our tale, and what it was asked meanwhile."""
    with ground.redis() as redis_url:
        async with Gateway.open(redis_url, policy=StaticPolicy(size.policy)) as gateway:
            targets, tale = _targets(url, "outage"), Tale()
            async with httpx.AsyncClient() as client:
                await client.post(f"{url}/_sim/reset")
                calls = [
                    asyncio.create_task(_later(number / size.rate, gateway, targets, number, tale))
                    for number in range(int((size.outage_s + 2) * size.rate))
                ]
                await asyncio.gather(*calls)
                state = (await client.get(f"{url}/_sim/state")).json()
    return tale, state["providers"]["outage-a"]["faulted"]


async def _later(
    pause_s: float, gateway: Gateway, targets: Sequence[Target], number: int, tale: Tale
) -> None:
    await asyncio.sleep(pause_s)
    await _timed(tale, lambda: _ours(gateway, targets, number, Sent()))


async def _all(calls: int, call: Callable[[int], Awaitable[bool]]) -> Tale:
    tale, places = Tale(), asyncio.Semaphore(32)

    async def one(number: int) -> None:
        async with places:
            await _timed(tale, lambda: call(number))

    await asyncio.gather(*(one(number) for number in range(calls)))
    return tale


async def _timed(tale: Tale, call: Callable[[], Awaitable[bool]]) -> None:
    began = time.perf_counter()
    is_answered = await call()
    tale.answered += is_answered
    tale.took_s.append(time.perf_counter() - began)


async def _simple(
    client: httpx.AsyncClient, url: str, number: int, attempts: int = 1, pause_s: float = 0.0
) -> bool:
    body = {"model": "wren-1b", "messages": [{"role": "user", "content": f"ping {number}"}]}
    for attempt in range(attempts):
        if attempt:
            await asyncio.sleep(pause_s)
        try:
            answer = await client.post(f"{url}/chat/completions", json=body)
            answer.raise_for_status()
        except httpx.HTTPError:
            continue
        return True
    return False


async def _ours(gateway: Gateway, targets: Sequence[Target], number: int, sent: Sent) -> bool:
    request = ChatRequest((Message("user", f"ping {number}"),), cache=CacheMode.SKIP)
    try:
        answer = await gateway.complete(request, targets)
    except AllTargetsFailed as error:
        sent.note(error.attempts)
        return False
    sent.note(answer.attempts)
    return True


def _scenario(parts: Mapping[str, Sequence[str]], size: Size) -> str:
    """Three providers for each part."""
    speed = {"first_token_s": size.first_token_s, "tokens_per_s": 100_000.0}
    providers = [
        provider(f"{part}-{letter}", [fault], **speed)
        for part, faults in parts.items()
        for letter, fault in zip("abc", faults, strict=True)
    ]
    return scenario("resilience", *providers, seed=7)


def _targets(url: str, part: str) -> list[Target]:
    return [target(url, f"{part}-{letter}") for letter in "abc"]


def _told(part: dict[str, Side]) -> str:
    return ", ".join(
        f"{who} {side.tale.success:.1f} % in {side.tale.mean_s:.2f} s" for who, side in part.items()
    )

"""How much of a quota four processes use together, and how often they are refused.

The provider gives 60 requests and 6 000 tokens a minute, and a daily limit; a call takes up to
130 tokens, so that now the one, now the other is short. A "minute" takes ten
seconds here: the simulator's clock of quotas and the clock of our engines run six times as fast.
Faster than that, a moment in which the machine is busy elsewhere would count as a second's delay.
The baseline is a fixed interval: every process sends one request in four seconds, which are 60 a
minute, and knows nothing of tokens. Ours is measured three times: limits known; limits unknown and
to be learned; and known limits of which half is gone, unannounced, mid-run.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks import ground
from benchmarks.result import Claim, Result
from gateway.client import Gateway
from gateway.errors import GatewayError
from gateway.policy import LimiterPolicy, Policy, StaticPolicy
from gateway.types import CacheMode, ChatRequest, LimitHeader, Message, Target, parse_limits

PROCESSES, SPEED = 4, 6.0
LIMITS = {"rpm": 60, "tpm": 6_000, "rpd": 10_000}
_AT_ONCE = 4  # callers in each process
_POLICY = Policy(limiter=LimiterPolicy(max_wait_s=300, max_wait_last_s=600))
_HEADERS = tuple(
    LimitHeader(f"x-ratelimit-{meaning.split()[0]}-{unit}", f"{meaning} {unit}/{window}", form)
    for unit, window in (("requests", "day"), ("tokens", "minute"))
    for meaning, form in (("limit", "integer"), ("remaining", "integer"), ("reset", "duration"))
)


class ScaledClock:
    """Time that runs `SPEED` times as fast, the same in every process of this machine."""

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    def unix(self) -> float:
        return time.time() * SPEED

    def store_us(self) -> int:
        return int(self.unix() * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


@dataclass(frozen=True, slots=True)
class Part:
    """What the simulator saw of one part; `used` is the share of the tightest limit."""

    admitted: int
    refused: int
    used: float
    failed: int  # calls that got no answer

    @property
    def refusals(self) -> float:
        return 100 * self.refused / max(1, self.admitted + self.refused)


async def run(is_tiny: bool) -> Result:
    minutes = 0.2 if is_tiny else 12.0
    fixed = await _part(_at_intervals, minutes, limits=None)
    known = await _part(_as_able, minutes, limits=LIMITS)
    learned = await _part(_as_able, minutes, limits=None)
    halved = await _part(_as_able, minutes, limits=LIMITS, halved_at=minutes / 2)
    failed = known.failed + learned.failed + halved.failed
    return Result(
        name="limiter",
        unit="% refused",
        baseline=round(fixed.refusals, 2),
        ours=round(known.refusals, 3),
        limit=0,
        article="0.7 % refused",
        claims=(
            Claim("refused, limits known", round(known.refusals, 3), "≤", 0.1, "%"),
            Claim("refused, limits learned", round(learned.refusals, 3), "≤", 1, "%"),
            Claim("refused, limits halved", round(halved.refusals, 3), "≤", 1, "%"),
            Claim("calls without an answer", failed, "=", 0),
            Claim("used of the allowance, limits known", round(known.used, 1), "≥", 97, "%"),
        ),
        details={
            "simulated": f"{minutes:g} minutes each, {PROCESSES} processes of {_AT_ONCE} callers",
            "fixed interval": _told(fixed),
            "known": _told(known),
            "learned": _told(learned),
            "halved": _told(halved),
        },
    )


def _told(part: Part) -> str:
    return (
        f"{part.refused} of {part.admitted + part.refused} refused, "
        f"{part.used:.1f} % of the allowance used after the first third"
    )


_Client = Callable[[str, str, float, Mapping[str, int] | None, int], int]


async def _part(
    client: _Client, minutes: float, *, limits: Mapping[str, int] | None, halved_at: float = 0
) -> Part:
    """Four processes for so many simulated minutes, looked at after a third and at the end."""
    real_s = minutes * 60 / SPEED
    loop, context = asyncio.get_running_loop(), multiprocessing.get_context("spawn")
    with (
        ground.simulator(_scenario(halved_at * 60), SPEED) as url,
        ground.redis() as redis_url,
        ProcessPoolExecutor(PROCESSES, mp_context=context) as pool,
    ):
        await asyncio.gather(*(loop.run_in_executor(pool, time.time) for _ in range(PROCESSES)))
        async with httpx.AsyncClient() as admin:
            await admin.post(f"{url}/_sim/reset")
            running = [
                loop.run_in_executor(pool, client, url, redis_url, real_s, limits, number)
                for number in range(PROCESSES)
            ]
            await asyncio.sleep(real_s / 3)
            early = await _seen(admin, url)
            failed = sum(await asyncio.gather(*running))
            late = await _seen(admin, url)
    return Part(int(late["admitted"]), int(late["refused"]), _used(early, late), failed)


async def _seen(admin: httpx.AsyncClient, url: str) -> dict[str, float]:
    state: dict[str, Any] = (await admin.get(f"{url}/_sim/state")).json()
    return {**state["providers"]["sim-quota"], "elapsed_s": state["elapsed_s"]}


def _used(early: Mapping[str, float], late: Mapping[str, float]) -> float:
    """Percent of the limit that was used most."""
    minutes = (late["elapsed_s"] - early["elapsed_s"]) / 60
    requests = (late["admitted"] - early["admitted"]) / (LIMITS["rpm"] * minutes)
    tokens = (late["tokens"] - early["tokens"]) / (LIMITS["tpm"] * minutes)
    return 100 * max(requests, tokens)


def _as_able(
    url: str, redis_url: str, real_s: float, limits: Mapping[str, int] | None, number: int
) -> int:
    """In a process of its own: callers that call as soon as they are let; how many failed."""
    return asyncio.run(_callers(url, redis_url, real_s, limits, number))


async def _callers(
    url: str, redis_url: str, real_s: float, limits: Mapping[str, int] | None, number: int
) -> int:
    target = Target(
        provider="sim-quota",
        model="wren-1b",
        base_url=f"{url}/sim-quota/v1",
        auth="none",
        limits=parse_limits(dict(limits or {})),
        hides_limits=limits is None,
        limit_headers=_HEADERS,
    )
    policy = StaticPolicy(_POLICY)
    async with Gateway.open(redis_url, policy=policy, clock=ScaledClock()) as gateway:
        until = time.monotonic() + real_s
        callers = [_caller(gateway, target, until, 10 * number + at) for at in range(_AT_ONCE)]
        return sum(await asyncio.gather(*callers))


async def _caller(gateway: Gateway, target: Target, until: float, seed: int) -> int:
    dice, failed = random.Random(seed), 0  # noqa: S311 - a load, not a secret
    while time.monotonic() < until:
        request = ChatRequest(
            (Message("user", "Say something."),),
            max_tokens=dice.randint(30, 110),
            cache=CacheMode.SKIP,
            deadline_s=900.0,
        )
        try:
            await gateway.complete(request, [target])
        except GatewayError:
            failed += 1
    return failed


def _at_intervals(
    url: str, redis_url: str, real_s: float, limits: Mapping[str, int] | None, number: int
) -> int:
    """One request in four simulated seconds, whatever comes back; how many were refused."""
    del redis_url, limits  # it knows nothing but its interval
    interval_s = PROCESSES * 60 / LIMITS["rpm"] / SPEED
    dice, failed, until = random.Random(number), 0, time.monotonic() + real_s  # noqa: S311
    time.sleep(interval_s * number / PROCESSES)
    with httpx.Client() as client:
        while time.monotonic() < until:
            began = time.monotonic()
            body = {
                "model": "wren-1b",
                "messages": [{"role": "user", "content": "Say something."}],
                "max_tokens": dice.randint(30, 110),
            }
            answer = client.post(f"{url}/sim-quota/v1/chat/completions", json=body)
            failed += answer.is_error
            time.sleep(max(0.0, interval_s - (time.monotonic() - began)))
    return failed


def _scenario(halved_at_s: float) -> str:
    named = ", ".join(f"{name} = {amount}" for name, amount in LIMITS.items())
    return f"""
name = "limiter"
seed = 5
[[providers]]
slug = "sim-quota"
name = "Simulator Quota"
style = "groq"
first_token_s = 0.01
tokens_per_s = 100000.0
limits = {{ {named} }}
limits_change_s = {halved_at_s}
[[providers.models]]
id = "wren-1b"
name = "Wren 1B"
context_tokens = 131072
"""

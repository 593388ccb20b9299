"""A process that reserves what it is told to, on real Redis: `python -m ... REDIS_URL`.

In: one JSON list per line, [amount, [[pause in ms, cost, real cost], ...]]. Out: when (us of the
server) and how much was admitted. With "hold" as the line it reserves once and never settles; with
"stand" it then stands in line for as much again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from gateway.clock import SystemClock
from gateway.errors import RateLimited
from gateway.limiter.limiter import Limiter, Stand
from gateway.limiter.quota import Settlement
from gateway.policy import StaticPolicy
from gateway.store import Store
from gateway.types import Target, parse_limits


def target(amount: int) -> Target:
    return Target("acme", "m", "http://x", limits=parse_limits({"tps": amount}))


async def reserve_all(url: str, amount: int, steps: list[list[int]]) -> list[tuple[int, int]]:
    admitted = []
    async with Store(url) as store:
        limiter = Limiter(store, StaticPolicy(), SystemClock())
        for pause_ms, cost, real in steps:
            await asyncio.sleep(pause_ms / 1000)
            try:
                taken = await limiter.reserve(target(amount), cost - 1, 1)
            except RateLimited:
                continue
            # Usage beyond the estimate is known too late to be refused; less is given back.
            await limiter.settle(taken, Settlement(tokens=min(real, cost)))
            admitted.append((taken.at_us, min(real, cost)))
    return admitted


async def hold(url: str) -> None:
    async with Store(url) as store:
        await Limiter(store, StaticPolicy(), SystemClock()).reserve(target(10), 9, 1)
        say("holding")
        sys.stdin.readline()  # until it is killed


async def stand(url: str) -> None:
    async with Store(url) as store:
        limiter = Limiter(store, StaticPolicy(), SystemClock())
        await limiter.reserve(target(10), 9, 1)
        try:
            await limiter.reserve(target(10), 9, 1, Stand(would_wait_s=60))
        except RateLimited:
            say("standing")
        sys.stdin.readline()  # until it is killed


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(url: str) -> None:
    for line in sys.stdin:
        if line.strip() in ("hold", "stand"):
            asyncio.run((hold if line.strip() == "hold" else stand)(url))
            return
        told: Any = json.loads(line)
        say(json.dumps(asyncio.run(reserve_all(url, *told))))


if __name__ == "__main__":
    main(sys.argv[1])

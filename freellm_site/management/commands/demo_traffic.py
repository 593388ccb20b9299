"""Sends a steady, seeded mix of prompts to the simulated providers, so that every chart lives."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from catalog.candidates import Pool
from catalog.complexity import read_needs
from catalog.engine import engine
from catalog.recommend import picks
from catalog.snapshot import asnapshot
from catalog.standing import recommend_now
from catalog.targets import targets_for
from gateway.client import Gateway
from gateway.errors import GatewayError
from gateway.simulator.workload import Prompt, prompts
from gateway.types import ChatRequest, Message, Priority

# Every fourth prompt was asked before, so that the cache has something to answer.
REPEATS = 0.25
AT_ONCE = 8


class Command(BaseCommand):
    help = "Send simulated traffic to the simulated providers until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--per-second", type=float, default=1.5)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--calls", type=int, help="stop after so many; endless without it")

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_run(options["per_second"], options["seed"], options["calls"]))


async def _run(per_second: float, seed: int, calls: int | None) -> None:
    dice = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    running: set[asyncio.Task[None]] = set()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with engine() as gateway:
        for sent, prompt in enumerate(_with_repeats(seed, dice)):
            if stop.is_set() or sent == calls:
                break
            if len(running) < AT_ONCE:
                task = asyncio.create_task(_ask(gateway, prompt))
                running.add(task)
                task.add_done_callback(running.discard)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), dice.expovariate(per_second))
        if stop.is_set():
            for task in running:
                task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _with_repeats(seed: int, dice: random.Random) -> Iterator[Prompt]:
    asked: list[Prompt] = []
    for prompt in prompts(seed):
        while asked and dice.random() < REPEATS:
            yield dice.choice(asked)
        asked = [*asked[-49:], prompt]
        yield prompt


async def _ask(gateway: Gateway, prompt: Prompt) -> None:
    """One prompt, to whom the recommendation names; a refusal is part of the picture."""
    kept = await asnapshot()
    simulated = Pool([one for one in kept.candidates if one.is_simulated])
    needs = read_needs(prompt.text, max_tokens=prompt.max_tokens)
    ranking = await recommend_now(needs, simulated)
    targets = await targets_for([one.candidate.offer_id for one in picks(ranking)])
    request = ChatRequest(
        messages=(Message("user", prompt.text),),
        temperature=0.0,
        max_tokens=prompt.max_tokens,
        priority=Priority.BATCH,
        source="demo",
    )
    with contextlib.suppress(GatewayError):
        async for _ in gateway.stream(request, targets):
            pass

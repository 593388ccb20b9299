"""The promise of the windows across processes, on the server's own clock."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from gateway import keys
from gateway.errors import RateLimited
from gateway.limiter.limiter import Limiter
from gateway.policy import StaticPolicy
from gateway.store import Store
from tests.gateway.reserving import target
from tests.gateway.test_window import ManualClock

_ROOT = Path(__file__).parents[2]
_PROCESSES = 3
_STATE = keys.quota_state("acme", "none", "*")
_SECOND_US = 1_000_000

_steps = st.lists(
    st.tuples(st.integers(0, 80), st.integers(1, 6), st.integers(0, 6)), min_size=20, max_size=40
)


class Worker:
    """A process of tests/gateway/reserving.py, to be asked many times."""

    def __init__(self, redis_url: str) -> None:
        command = [sys.executable, "-m", "tests.gateway.reserving", redis_url]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )

    def tell(self, line: str) -> None:
        _pipe(self.process.stdin).write(line + "\n")
        _pipe(self.process.stdin).flush()

    def hear(self) -> str:
        return _pipe(self.process.stdout).readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@pytest.fixture
def workers(redis_url: str) -> Iterator[list[Worker]]:
    started = [Worker(redis_url) for _ in range(_PROCESSES)]
    yield started
    for worker in started:
        worker.kill()


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(amount=st.integers(6, 30), each=st.tuples(*[_steps] * _PROCESSES))
def test_no_window_admits_more_than_the_quota(
    redis_url: str,
    workers: list[Worker],
    amount: int,
    each: tuple[list[tuple[int, int, int]], ...],
) -> None:
    """Several processes reserve and settle at will: every second holds at most the amount."""
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    for worker, steps in zip(workers, each, strict=True):
        worker.tell(json.dumps([amount, steps]))
    admitted = sorted(one for worker in workers for one in json.loads(worker.hear()))
    assert admitted
    for begin_us, _ in admitted:
        within = (cost for at, cost in admitted if begin_us <= at < begin_us + _SECOND_US)
        assert sum(within) <= amount


async def test_a_killed_process_gives_back_by_time(redis_url: str, workers: list[Worker]) -> None:
    """What it held counts for one window, and then no more."""
    workers[0].tell("hold")
    assert await asyncio.to_thread(workers[0].hear) == "holding"
    workers[0].kill()
    with Redis.from_url(redis_url) as redis:
        seconds, microseconds = redis.time()
    clock = ManualClock(int(seconds) * _SECOND_US + int(microseconds))
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(), clock)
        used_up = (await limiter.levels([target(10)]))[target(10)].limits[0]
        clock.now_us += int(used_up.resets_in_s * _SECOND_US)
        given_back = (await limiter.levels([target(10)]))[target(10)].limits[0]
    assert (used_up.left, given_back.left) == (0, 10)
    assert used_up.resets_in_s <= 1.02  # a window and a slot


async def test_a_killed_process_leaves_the_line(redis_url: str, workers: list[Worker]) -> None:
    """Room is kept for who stands in line there; three seconds after its death it is not."""
    workers[0].tell("stand")
    assert await asyncio.to_thread(workers[0].hear) == "standing"
    workers[0].kill()
    with Redis.from_url(redis_url) as redis:
        (ticket,) = (one for one in redis.hkeys(_STATE) if one.startswith(b"t:"))
        _, expires_us, *costs = redis.hget(_STATE, ticket).split()
        assert costs == [b"10"]
        redis.delete(f"{_STATE.removesuffix(':state')}:tps")  # what was used, not who waits
    clock = ManualClock(int(expires_us) - 1)
    async with Store(redis_url) as store:
        limiter = Limiter(store, StaticPolicy(), clock)
        with pytest.raises(RateLimited):
            await limiter.reserve(target(10), 0, 1)
        clock.now_us += 1
        await limiter.reserve(target(10), 9, 1)
    with Redis.from_url(redis_url) as redis:
        assert not redis.hexists(_STATE, ticket)

"""Two hundred people who look at the live page, beside one.

The baseline is how often the stream of calls is read for one viewer, ours for all. The other
figures are the web process' memory and how late the last of them hears of a call. What else Redis
is asked depends on when the samplers of other pages, which nobody looks at, take their turn.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from redis.asyncio import Redis

from benchmarks import ground
from benchmarks.monitoring_pages import world
from benchmarks.monitoring_world import events
from benchmarks.result import Claim, Result
from gateway.keys import EVENT_STREAM

VIEWERS, WATCHED_S, CALLS = 200, 10.0, 5
_CALLS = re.compile(rb'"calls":(\d+)')
_LONGEST_LINE = 4 * 1024 * 1024
_MB = 1024 * 1024


async def run(is_tiny: bool) -> Result:
    viewers, watched_s, calls = (5, 1.0, 1) if is_tiny else (VIEWERS, WATCHED_S, CALLS)
    with ground.redis() as redis_url, tempfile.TemporaryDirectory(prefix="flv") as folder:
        environment = ground.environment(Path(folder), redis_url)
        told = await asyncio.to_thread(world, environment, 25, 1)
        with ground.web(environment) as url:
            async with Redis.from_url(redis_url) as redis:
                await _tell(redis)  # the page of an empty house is another one
                async with _looking(url, told["session"], 1):
                    alone = await _asked_per_s(redis, watched_s)
                    before = _memory_mb()
                async with _looking(url, told["session"], viewers) as seen:
                    together = await _asked_per_s(redis, watched_s)
                    late_s = [await _late_s(redis, seen) for _ in range(calls)]
                    more_mb = _memory_mb() - before
    return Result(
        name="live_viewers",
        unit=f"reads of the stream a second, {viewers} viewers beside one",
        baseline=round(alone, 2),
        ours=round(together, 2),
        claims=(
            # A read more or less falls into the span.
            Claim("reads beside one viewer's", round(together / alone, 2), "≤", 1.2),
            Claim("more memory", round(more_mb, 1), "≤", 100, "MB"),
            Claim("a call reaches the last viewer", round(max(late_s), 2), "≤", 1.5, "s"),
        ),
        details={"viewers": viewers, "late": ", ".join(f"{one:.2f} s" for one in late_s)},
    )


class _Viewer:
    """Reads an event stream and remembers how many calls it was last told of."""

    def __init__(self) -> None:
        self.calls = -1
        self.changed = asyncio.Event()

    async def watch(self, url: str, session: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=_LONGEST_LINE)
        lines = ["GET /monitoring/live/ HTTP/1.1", f"Host: {host}", f"Cookie: sessionid={session}"]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"data:") and (found := _CALLS.search(line)):
                    self.calls = int(found[1])
                    self.changed.set()
        finally:
            writer.close()


@asynccontextmanager
async def _looking(url: str, session: str, count: int) -> AsyncIterator[Sequence[_Viewer]]:
    viewers = [_Viewer() for _ in range(count)]
    tasks = [asyncio.create_task(one.watch(url, session)) for one in viewers]
    try:
        async with asyncio.timeout(60):
            for one in viewers:
                await one.changed.wait()
        yield viewers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _tell(redis: Redis) -> None:
    (event,) = events([("p-1", "m-1")], 1)
    await redis.xadd(EVENT_STREAM, {"event": event.to_json()})


async def _late_s(redis: Redis, viewers: Sequence[_Viewer]) -> float:
    """Until all of them know of one call more."""
    wanted = max(one.calls for one in viewers) + 1
    began = time.monotonic()
    await _tell(redis)
    async with asyncio.timeout(60):
        for one in viewers:
            while one.calls < wanted:
                one.changed.clear()
                await one.changed.wait()
    return time.monotonic() - began


async def _asked_per_s(redis: Redis, for_s: float) -> float:
    before = await _reads(redis)
    await asyncio.sleep(for_s)
    return (await _reads(redis) - before) / for_s


async def _reads(redis: Redis) -> int:
    return int((await redis.info("commandstats")).get("cmdstat_xread", {}).get("calls", 0))


def _memory_mb() -> float:
    children = psutil.Process().children(recursive=True)
    web = next(one for one in children if "uvicorn" in " ".join(one.cmdline()))
    return float(web.memory_info().rss / _MB)

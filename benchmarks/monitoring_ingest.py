"""Ten thousand calls a second for ten seconds: the recorder, the live page, and everybody else.

The baseline is a page of the catalog while nothing happens, ours the same page meanwhile. Recorder,
web process, Redis and the sender of the events are processes of their own on this machine.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from benchmarks import ground
from benchmarks.monitoring_pages import world
from benchmarks.result import Claim, Result

PER_SECOND, SECONDS, IDLE_S = 10_000, 10, 5.0
PAGE = "/catalog/"
PATIENCE_S = 120.0


async def run(is_tiny: bool) -> Result:
    per_second, seconds, idle_s = (200, 2, 0.5) if is_tiny else (PER_SECOND, SECONDS, IDLE_S)
    with ground.redis() as redis_url, tempfile.TemporaryDirectory(prefix="fli") as folder:
        environment = ground.environment(Path(folder), redis_url)
        told = await asyncio.to_thread(world, environment, 25, 1)
        with ground.recorder(environment), ground.web(environment) as url:
            client = httpx.Client(
                base_url=url, cookies={"sessionid": told["session"]}, timeout=PATIENCE_S
            )
            with client:
                return await asyncio.to_thread(
                    _measured, client, environment, per_second, seconds, idle_s
                )


def _measured(
    client: httpx.Client,
    environment: Mapping[str, str],
    per_second: int,
    seconds: int,
    idle_s: float,
) -> Result:
    command = [sys.executable, "-m", "benchmarks.event_sender"]
    told = [environment["REDIS_URL"], str(per_second), str(seconds)]
    with subprocess.Popen(  # noqa: S603 - our own program
        [*command, *told], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as sender:
        assert sender.stdin is not None  # noqa: S101 - a pipe was asked for
        assert sender.stdout is not None  # noqa: S101 - as above
        sender.stdout.readline()
        _took_ms(client, lambda: False, at_least=3)  # the first requests warm up
        over_at = time.monotonic() + idle_s
        idle_ms = _took_ms(client, lambda: time.monotonic() < over_at)
        watch = _LiveWatch(client)
        began = time.monotonic()
        sender.stdin.write("go\n")
        sender.stdin.flush()
        over_at = began + seconds
        busy_ms = _took_ms(client, lambda: time.monotonic() < over_at)
        sent_s = float(sender.stdout.readline())
    events = per_second * seconds
    counted, behind_s = _caught_up(client, events + 1, began + sent_s)
    longest_s = watch.stop()
    ratio = statistics.median(busy_ms) / statistics.median(idle_ms)
    return Result(
        name="monitoring_ingest",
        unit=f"ms per page (p50), at {per_second} calls a second",
        baseline=round(statistics.median(idle_ms), 1),
        ours=round(statistics.median(busy_ms), 1),
        claims=(
            Claim("page beside idle", round(ratio, 2), "≤", 1.5),
            Claim("caught up after", round(behind_s, 1), "≤", 10, "s"),
            Claim("calls counted beside those told of", counted / (events + 1), "=", 1),
            Claim("longest silence of the live page", round(longest_s, 2), "≤", 3, "s"),
        ),
        details={
            "calls": events,
            "sent in": f"{sent_s:.1f} s",
            "recorded per second": f"{events / (sent_s + behind_s):.0f}",
            "pages asked for meanwhile": len(busy_ms),
        },
    )


def _took_ms(client: httpx.Client, goes_on: Callable[[], bool], at_least: int = 1) -> list[float]:
    took_ms: list[float] = []
    while len(took_ms) < at_least or goes_on():
        began = time.perf_counter()
        client.get(PAGE).raise_for_status()
        took_ms.append((time.perf_counter() - began) * 1_000)
    return took_ms


def _caught_up(client: httpx.Client, wanted: int, sent_at: float) -> tuple[int, float]:
    """How many calls the sums hold in the end, and how long after the last was sent."""
    deadline = sent_at + PATIENCE_S
    counted = 0
    while counted < wanted and time.monotonic() < deadline:
        counted = _counted(client)
        time.sleep(0.1)
    return counted, max(0.0, time.monotonic() - sent_at)


def _counted(client: httpx.Client) -> int:
    lines = client.get("/metrics").text.splitlines()
    calls = (line.rpartition(" ")[2] for line in lines if line.startswith("freellm_calls_total{"))
    return int(sum(map(float, calls)))


class _LiveWatch:
    """Somebody who looks at the live page, and notes how long it said nothing."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._heard: list[float] = [time.monotonic()]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        with self._client.stream("GET", "/monitoring/live/") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: state"):
                    self._heard.append(time.monotonic())
                if self._is_over.is_set():
                    return

    def stop(self) -> float:
        """The longest silence, in seconds."""
        self._is_over.set()
        self._thread.join(PATIENCE_S)
        return max((b - a for a, b in zip(self._heard, self._heard[1:], strict=False)), default=0.0)

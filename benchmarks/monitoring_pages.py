"""The pages of monitoring with a million calls and 500 offers, asked for over HTTP.

The time is the whole of a request on a kept connection to this machine. The baseline is the same
pages with a hundred calls: what is added is the price of the calls. PostgreSQL is measured, too,
where BENCHMARK_DATABASE_URL names an empty database.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from benchmarks import ground
from benchmarks.result import Claim, Result

OFFERS, CALLS, FEW_CALLS, ROUNDS = 500, 1_000_000, 100, 7
FILL_LIMIT_S = 3_600
PAGES = {
    "overview": "/",
    **{f"traffic, {key}": f"/monitoring/?range={key}" for key in ("5m", "1h", "24h", "7d")},
    "traffic, 90 days": "/monitoring/?range=90d",
    "traffic, 90 days by model": "/monitoring/?range=90d&by=model",
    "traffic, 90 days by user": "/monitoring/?range=90d&by=owner",
    "figures, 90 days": "/monitoring/figures/?range=90d",
    "calls": "/monitoring/calls/",
    "calls, one provider": "/monitoring/calls/?provider=p-3",
    "calls, found by reading": "/monitoring/calls/?q=nothing+like+it",
    "calls, several filters": "/monitoring/calls/?provider=p-3&outcome=timeout&longer_than=60",
    "calls, far back": "/monitoring/calls/?until=2020-01-01T00:00",
    "one call": "/monitoring/calls/{call_id}/",
    "limits": "/monitoring/limits/",
    "breakers": "/monitoring/breakers/",
    "cache": "/monitoring/cache/",
    "queue": "/monitoring/queue/",
    "tasks": "/monitoring/tasks/",
    "tuning": "/monitoring/tuning/",
}


async def run(is_tiny: bool) -> Result:
    offers, calls, rounds = (20, 500, 1) if is_tiny else (OFFERS, CALLS, ROUNDS)
    few = await asyncio.to_thread(_took_ms, offers, FEW_CALLS, rounds, "")
    many = {"SQLite": await asyncio.to_thread(_took_ms, offers, calls, rounds, "")}
    if database_url := os.environ.get("BENCHMARK_DATABASE_URL", ""):
        found = await asyncio.to_thread(_took_ms, offers, calls, rounds, database_url)
        many["PostgreSQL"] = found
    claims = []
    for database, took_ms in many.items():
        slowest = max(took_ms, key=lambda name: took_ms[name])
        took = round(took_ms[slowest], 1)
        claims.append(Claim(f"slowest page, {database} ({slowest})", took, "≤", 200, "ms"))
    return Result(
        name="monitoring_pages",
        unit=f"ms per page of {calls} calls (mean of the pages' p50)",
        baseline=round(statistics.fmean(few.values()), 1),
        ours=round(statistics.fmean(many["SQLite"].values()), 1),
        claims=tuple(claims),
        details={
            name: ", ".join(f"{database} {took[name]:.0f} ms" for database, took in many.items())
            for name in many["SQLite"]
        },
    )


def _took_ms(offers: int, calls: int, rounds: int, database_url: str) -> dict[str, float]:
    with ground.redis() as redis_url, tempfile.TemporaryDirectory(prefix="flm") as folder:
        more = {"DATABASE_URL": database_url} if database_url else {}
        environment = ground.environment(Path(folder), redis_url, **more)
        told = world(environment, offers, calls)
        cookies = {"sessionid": told["session"]}
        with (
            ground.web(environment) as url,
            httpx.Client(base_url=url, cookies=cookies, timeout=60) as client,
        ):
            pages = {name: path.format(call_id=told["call_id"]) for name, path in PAGES.items()}
            return _timed(client, pages, rounds)


def world(environment: Mapping[str, str], offers: int, calls: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.monitoring_world", str(offers), str(calls)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, env=environment, check=True, stdout=subprocess.PIPE, timeout=FILL_LIMIT_S
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _timed(client: httpx.Client, pages: Mapping[str, str], rounds: int) -> dict[str, float]:
    """The median of each page that there is; they take turns, after each was asked for once."""
    found = {name: path for name, path in pages.items() if _is_there(client, path)}
    took_ms: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, path in found.items():
            began = time.perf_counter()
            client.get(path).raise_for_status()
            took_ms[name].append((time.perf_counter() - began) * 1_000)
    return {name: statistics.median(took) for name, took in took_ms.items()}


def _is_there(client: httpx.Client, path: str) -> bool:
    status = client.get(path).status_code
    if status not in {httpx.codes.OK, httpx.codes.NOT_FOUND}:
        raise RuntimeError(f"{path} answers {status}")
    return status == httpx.codes.OK

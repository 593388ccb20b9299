"""The catalog's pages with 10 000 offers, asked for over HTTP of a real server.

The server's time is the processor time of its process, because other programs' time is not ours;
how long a request took beside them stands among the details. A page is asked for as htmx does when
a filter changes, the first one whole. The baseline counts a part of the facets the usual way, with
a query for each value. The weight is the first page with its styles and scripts, compressed.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks import ground
from benchmarks.result import Claim, Result

OFFERS, ROUNDS = 10_000, 10
PAGES = {
    "first page": "",
    "one filter": "?good=code",
    "several filters": "?good=code&size=large&tier=free&now=usable",
    "sorted": "?sort=-context&provider=p-3&provider=p-5",
    "a later page": "?sort=name&page=2",
    "by offer": "?view=offers",
}
SEARCHES = {"search": "?q=wren+70b", "search with a slip": "?q=hreon+70b"}
_LINKED = re.compile(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"')


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one request: the server's processor time, and how long it took (median)."""

    cpu_ms: float
    took_ms: float


async def run(is_tiny: bool) -> Result:
    offers, rounds = (120, 2) if is_tiny else (OFFERS, ROUNDS)
    with ground.redis() as redis_url, tempfile.TemporaryDirectory(prefix="flc") as folder:
        environment = ground.environment(Path(folder), redis_url)
        world = await asyncio.to_thread(_world, environment, offers)
        with ground.web(environment) as url:
            cookies = {"sessionid": world["session"]}
            with httpx.Client(base_url=url, cookies=cookies, timeout=60) as client:
                costs = _costs(client, _server(url), rounds)
                weight_kb = _weight_kb(client)
    slowest = max(PAGES, key=lambda name: costs[name].cpu_ms)
    searches = max(costs[name].cpu_ms for name in SEARCHES)
    return Result(
        name="catalog_pages",
        unit=f"ms per page of {offers} offers",
        baseline=round(world["sql_ms"], 1),
        ours=round(costs["first page"].cpu_ms, 1),
        claims=(
            Claim(
                "first page beside counting in SQL",
                round(costs["first page"].cpu_ms / world["sql_ms"], 3),
                "≤",
                0.5,
            ),
            Claim(f"slowest page ({slowest})", round(costs[slowest].cpu_ms, 1), "≤", 100, "ms"),
            Claim("slowest search", round(searches, 1), "≤", 50, "ms"),
            Claim("first page, compressed, no charts", round(weight_kb, 1), "≤", 150, "kB"),
        ),
        details={
            name: f"{cost.cpu_ms:.1f} ms of the server, took {cost.took_ms:.1f} ms"
            for name, cost in costs.items()
        },
    )


def _server(url: str) -> psutil.Process:
    port = url.rpartition(":")[2]
    return next(one for one in psutil.Process().children() if port in one.cmdline())


def _costs(client: httpx.Client, server: psutil.Process, rounds: int) -> dict[str, Cost]:
    costs = {}
    for name, query in {**PAGES, **SEARCHES}.items():
        headers = {"HX-Request": "true"} if query else {}
        client.get(f"/catalog/{query}", headers=headers)  # what a process keeps, it has then
        before, took_ms = server.cpu_times(), []
        for _ in range(rounds):
            began = time.perf_counter()
            answer = client.get(f"/catalog/{query}", headers=headers)
            took_ms.append((time.perf_counter() - began) * 1_000)
            answer.raise_for_status()
        after = server.cpu_times()
        cpu_s = after.user + after.system - before.user - before.system
        costs[name] = Cost(cpu_s * 1_000 / rounds, statistics.median(took_ms))
    return costs


def _world(environment: Mapping[str, str], offers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.catalog_world", str(offers)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _weight_kb(client: httpx.Client) -> float:
    """The page and all it links to, as a browser is sent it that takes gzip."""
    page = client.get("/catalog/").text
    linked = [client.get(address).content for address in sorted(set(_LINKED.findall(page)))]
    return sum(len(gzip.compress(one)) for one in (page.encode(), *linked)) / 1_000

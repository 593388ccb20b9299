"""The catalog's pages with 10 000 offers, asked for over HTTP of a real server.

The time is the whole of a request on a kept connection to this machine. The baseline counts a part
of the facets the usual way, with a query for each value; our page counts all of them and is whole.
The weight is the first page with its styles and scripts, compressed as they are sent.
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
from pathlib import Path
from typing import Any

import httpx

from benchmarks import ground
from benchmarks.result import Claim, Result

OFFERS, ROUNDS = 10_000, 15
PAGES = {
    "first page": "",
    "one filter": "?good=code",
    "several filters": "?good=code&size=large&tier=free&now=usable",
    "sorted": "?sort=-context&provider=p-3&provider=p-5",
    "a later page": "?sort=name&page=20",
}
SEARCHES = {"search": "?q=wren+70b", "search with a slip": "?q=hreon"}
_LINKED = re.compile(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"')


async def run(is_tiny: bool) -> Result:
    offers, rounds = (120, 2) if is_tiny else (OFFERS, ROUNDS)
    with ground.redis() as redis_url, tempfile.TemporaryDirectory(prefix="flc") as folder:
        environment = ground.environment(Path(folder), redis_url)
        world = await asyncio.to_thread(_world, environment, offers)
        with ground.web(environment) as url:
            client = httpx.Client(base_url=url, cookies={"sessionid": world["session"]})
            with client:
                took_ms = _timed(client, {**PAGES, **SEARCHES}, rounds)
                weight_kb = _weight_kb(client)
    slowest = max(PAGES, key=lambda name: took_ms[name])
    return Result(
        name="catalog_pages",
        unit=f"ms per page of {offers} offers (p50)",
        baseline=round(world["sql_ms"], 1),
        ours=round(took_ms["first page"], 1),
        claims=(
            Claim(f"slowest page ({slowest})", round(took_ms[slowest], 1), "≤", 100, "ms"),
            *(Claim(name, round(took_ms[name], 1), "≤", 50, "ms") for name in SEARCHES),
            Claim("first page, compressed, no charts", round(weight_kb, 1), "≤", 150, "kB"),
        ),
        details={name: f"{value:.1f} ms" for name, value in took_ms.items()},
    )


def _world(environment: Mapping[str, str], offers: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.catalog_world", str(offers)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _timed(client: httpx.Client, pages: Mapping[str, str], rounds: int) -> dict[str, float]:
    """The median of each page; the pages take turns, so that a busy moment hits all alike."""
    took_ms: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, query in pages.items():
            began = time.perf_counter()
            answer = client.get(f"/catalog/{query}")
            took_ms[name].append((time.perf_counter() - began) * 1_000)
            answer.raise_for_status()
    return {name: statistics.median(took) for name, took in took_ms.items()}


def _weight_kb(client: httpx.Client) -> float:
    """The page and all it links to, as a browser is sent it that takes gzip."""
    page = client.get("/catalog/").text
    linked = [client.get(address).content for address in sorted(set(_LINKED.findall(page)))]
    return sum(len(gzip.compress(one)) for one in (page.encode(), *linked)) / 1_000

"""Writes `docs/benchmarks.md` from one run's figures: no figure is typed by hand."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version

from benchmarks.result import Result

_HEAD = """# Benchmarks

Written by `python -m benchmarks --markdown docs/benchmarks.md` from one run, never by hand.
Baseline and ours run beside each other against a simulator in a process of its own; compare the
columns of a row, since the figures themselves belong to the machine. The limit is what no program
could beat; the article is the one whose figures started this project.

Run on {day} with Python {python}, {cores} cores, {packages}.

| benchmark | unit | baseline | ours | limit | article | bounds |
| --- | --- | --- | --- | --- | --- | --- |
"""
_PACKAGES = ("django", "httpx", "aiohttp", "redis", "uvicorn")


def page(results: Sequence[Result], day: dt.date) -> str:
    head = _HEAD.format(
        day=day.isoformat(),
        python=platform.python_version(),
        cores=os.cpu_count(),
        packages=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    )
    return head + "\n".join(map(_row, results)) + "\n" + "".join(map(_section, results))


def _row(result: Result) -> str:
    limit = "–" if result.limit is None else f"{result.limit:.4g}"
    missed = len(result.missed)
    bounds = f"{missed} of {len(result.claims)} missed" if missed else "all hold"
    cells = (
        result.name,
        result.unit,
        f"{result.baseline:.4g}",
        f"{result.ours:.4g}",
        limit,
        result.article or "–",
        bounds,
    )
    return f"| {' | '.join(cells)} |"


def _section(result: Result) -> str:
    claims = [f"- {claim}" for claim in result.claims]
    details = [f"- {name}: {value}" for name, value in result.details.items()]
    return "\n".join(["", f"## {result.name}", "", *claims, *details, ""])

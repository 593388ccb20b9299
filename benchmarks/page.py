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
Baseline and ours alternate in the same run, against a simulator in a process of its own; compare
the two columns of a row, since the figures themselves belong to the machine.

Run on {day} with Python {python}, {cores} cores, {packages}.

| benchmark | unit | baseline | ours | bound |
| --- | --- | --- | --- | --- |
"""
_PACKAGES = ("django", "httpx", "aiohttp", "redis", "uvicorn")


def page(results: Sequence[Result], day: dt.date) -> str:
    head = _HEAD.format(
        day=day.isoformat(),
        python=platform.python_version(),
        cores=os.cpu_count(),
        packages=", ".join(f"{name} {version(name)}" for name in _PACKAGES),
    )
    return head + "\n".join(map(_row, results)) + "\n" + "".join(map(_details, results))


def _row(result: Result) -> str:
    bound = "–" if result.bound is None else f"≤ {result.bound:g}"
    return f"| {result.name} | {result.unit} | {result.baseline:g} | {result.ours:g} | {bound} |"


def _details(result: Result) -> str:
    lines = "\n".join(f"- {name}: {value}" for name, value in result.details.items())
    return f"\n## {result.name}\n\n{lines}\n"

"""Run the benchmarks: python -m benchmarks [NAME ...] [--json FILE] [--markdown FILE] [--tiny].

Exit status 1 when a bound is missed. `--tiny` runs each once, small and without bounds.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import (
    cache,
    catalog_pages,
    catalog_refresh,
    dispatch,
    limiter,
    live_viewers,
    matching,
    monitoring_ingest,
    monitoring_pages,
    overhead,
    resilience,
    soak,
)
from benchmarks.page import page
from benchmarks.result import Result

BENCHMARKS: dict[str, Callable[[bool], Coroutine[Any, Any, Result]]] = {
    "matching": matching.run,
    "dispatch": dispatch.run,
    "limiter": limiter.run,
    "cache": cache.run,
    "resilience": resilience.run,
    "overhead": overhead.run,
    "soak": soak.run,
    "catalog_pages": catalog_pages.run,
    "catalog_refresh": catalog_refresh.run,
    "monitoring_ingest": monitoring_ingest.run,
    "monitoring_pages": monitoring_pages.run,
    "live_viewers": live_viewers.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--markdown", type=Path, help="write the page for docs/ here")
    parser.add_argument("--tiny", action="store_true", help="small, without bounds")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}")
    results = [_run(name, options.tiny) for name in options.names or BENCHMARKS]
    if options.json:
        options.json.write_text(json.dumps([result.as_dict() for result in results], indent=2))
    if options.markdown:
        today = dt.datetime.now(dt.UTC).date()
        options.markdown.write_text(page(results, today))
    missed = [f"{result.name}: {claim}" for result in results for claim in result.missed]
    if missed:
        print("\n".join(["", "Bounds that were missed:", *missed]))
    return 1 if missed else 0


def _run(name: str, is_tiny: bool) -> Result:
    result = uvloop.run(BENCHMARKS[name](is_tiny))  # as the web process has it
    if is_tiny:
        result = replace(result, claims=())
    print("\n".join(result.lines()), flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())

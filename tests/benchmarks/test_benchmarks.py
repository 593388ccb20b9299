"""Every benchmark runs once in a tiny setting, so that it never rots."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import BENCHMARKS
from freellm_site.lib.environment import BASE_DIR


def test_each_benchmark_says_its_figures(tmp_path: Path) -> None:
    """Names, units and figures of a baseline and of ours come out as JSON."""
    path = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--json", str(path)],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(path.read_text())
    assert {one["name"] for one in figures} == set(BENCHMARKS)
    assert all(one["unit"] and one["details"] for one in figures)
    # Nobody is refused in so short a run, and nothing else may be nothing.
    nothing = {one["name"] for one in figures if not (one["ours"] and one["baseline"])}
    assert nothing <= {"limiter"}

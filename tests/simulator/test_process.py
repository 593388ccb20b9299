"""The simulator as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

COMMAND = [sys.executable, "-m", "gateway.simulator"]
ROOT = Path(__file__).parents[2]


@contextmanager
def _started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """A simulator process on a port of its own choice, and its client."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        where = process.stdout.readline().split(" on ")[1].strip()
        is_tcp = where.startswith("http")
        with httpx.Client(
            base_url=where if is_tcp else "http://simulator",
            transport=None if is_tcp else httpx.HTTPTransport(uds=where),
            trust_env=False,
        ) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def _refused(*arguments: str) -> str:
    """The one sentence of a simulator that would not start."""
    ended = subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_within_a_second_with_open_streams(stop: signal.Signals, tmp_path: Path) -> None:
    """TERM and Ctrl-C end it cleanly, though an answer would take minutes."""
    scenario = tmp_path / "slow.toml"
    scenario.write_text(
        '[[providers]]\nslug = "slow"\nname = "Slow"\nfirst_token_s = 0\ntokens_per_s = 0.5\n'
        '[[providers.models]]\nid = "wren"\n'
    )
    body = {"model": "wren", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    with (
        _started("--scenario", str(scenario)) as (process, client),
        client.stream("POST", "/slow/v1/chat/completions", json=body) as answer,
    ):
        next(answer.iter_bytes())
        began_s = time.monotonic()
        process.send_signal(stop)
        assert process.wait(timeout=5) == 0
        assert time.monotonic() - began_s < 1
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_is_small_when_idle() -> None:
    """Under 45 MB after start with the bundled scenario."""
    with _started() as (process, client):
        assert client.get("/sim-swift/v1/models").status_code == 200
        assert psutil.Process(process.pid).memory_info().rss < 45 * 1024 * 1024


def test_it_serves_on_a_unix_socket(tmp_path: Path) -> None:
    """A dead socket in the way is replaced, a living one is not, and nobody else may open it."""
    path = tmp_path / "sim.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with _started("--uds", str(path)) as (process, client):
        assert client.get("/_sim/state").status_code == 200
        assert path.stat().st_mode & 0o777 == 0o600
        assert "cannot listen on" in _refused("--uds", str(path))
        process.terminate()
        assert process.wait(timeout=5) == 0
    assert not path.exists()


def test_a_taken_port_is_one_clear_sentence() -> None:
    """Exit code 1, the port, the reason and the remedy; no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        sentence = _refused("--port", port)
    assert port in sentence
    assert "--port" in sentence


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_an_absurd_port_is_refused(port: str) -> None:
    """No traceback for a number that is no port."""
    assert port in _refused(f"--port={port}")


def test_a_bad_scenario_is_one_clear_sentence(tmp_path: Path) -> None:
    """Exit code 1, with the file and the field."""
    bad = tmp_path / "bad.toml"
    bad.write_text("seed = -1")
    assert "bad.toml: seed must be" in _refused("--scenario", str(bad))

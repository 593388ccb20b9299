"""`make run` as a user meets it: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.product import Product

pytestmark = pytest.mark.xdist_group("product")

# What tells each program's process from the others.
PROGRAMS = {
    "redis": "unixsocket",
    "web": "uvicorn",
    "recorder": "record_calls",
    "worker": " worker",
    "beat": " beat",
    "simulator": "gateway.simulator",
}
MEGABYTE = 1024 * 1024


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    # A name that means something in addresses, in supervisor's files and to a shell.
    product = Product(tmp_path_factory.mktemp("ö 50%d '$x"))
    yield product
    if product.process is not None:
        product.stop()


def _children(product: Product) -> list[psutil.Process]:
    assert product.process is not None
    return psutil.Process(product.process.pid).children(recursive=True)


def _child(product: Product, part: str) -> psutil.Process:
    return next(c for c in _children(product) if part in " ".join(c.cmdline()))


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that ended and was not buried by its new parent does not."""
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def _eventually(holds: Callable[[], bool], limit_s: float = 20) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _running(product: Product, part: str) -> bool:
    return any(part in " ".join(c.cmdline()) for c in _children(product))


def _ready(product: Product) -> bool:
    try:
        with urllib.request.urlopen(f"{product.url}/readyz", timeout=2) as answer:
            return bool(json.load(answer)["status"] == "ok")
    except OSError:
        return False


def _signed_in(product: Product, path: str) -> urllib.request.Request:
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in product.state["cookies"])
    return urllib.request.Request(product.url + path, headers={"Cookie": cookies})


def _healthy(product: Product) -> bool:
    try:
        with urllib.request.urlopen(f"{product.url}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_it_starts_restarts_a_child_and_leaves_nothing_behind(product: Product) -> None:
    """It serves, a killed child comes back with a message, TERM ends all within 5 s."""
    product.start()
    assert _healthy(product)
    assert (product.var.stat().st_mode & 0o777) == 0o700
    assert sum(child.memory_info().rss for child in _children(product)) < 500 * MEGABYTE

    for name, part in PROGRAMS.items():
        _child(product, part).kill()
        product.wait_for_line(f"{name} ended; starting it again")
    assert _eventually(lambda: _ready(product))
    assert _eventually(lambda: all(_running(product, part) for part in PROGRAMS.values()))

    with urllib.request.urlopen(_signed_in(product, "/monitoring/live/"), timeout=20) as stream:
        assert stream.readline()
        children = _children(product)
        began = time.monotonic()
        assert product.stop() == 0
        assert time.monotonic() - began < 5
    assert _alive(children) == []
    assert [name for name in PROGRAMS if "Traceback" in product.log(name)] == []


def test_term_during_the_preparation_ends_it(product: Product) -> None:
    """Before the supervisor listens there is somebody else to stop as well."""
    process = product.spawn()
    assert _eventually(lambda: bool(_children(product)))
    children = _children(product)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    assert product.wait_for_line("Stopped.")
    assert "Traceback" not in "".join(product.output)
    assert _eventually(lambda: _alive(children) == [])


def test_control_c_ends_it_as_well(product: Product) -> None:
    """SIGINT is what Ctrl-C sends."""
    process = product.spawn()
    product.wait_for_line("Ctrl-C stops it")
    process.send_signal(signal.SIGINT)
    product.wait_for_line("Stopping")
    process.send_signal(signal.SIGINT)  # impatience changes nothing
    assert process.wait(timeout=15) == 0


def test_a_second_instance_on_the_same_folder_is_refused(product: Product) -> None:
    """The second says who holds the folder; the first goes on."""
    product.start()
    second = Product(product.var)
    process = second.spawn()
    second.wait_for_line("already running")
    assert process.wait(timeout=10) == 1
    assert _healthy(product)
    assert len("".join(second.output).splitlines()) == 1


def test_a_program_that_keeps_dying_stops_everything(product: Product) -> None:
    """After its retries the reason is shown, its last lines are there, the exit status is 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        product.environment["SIMULATOR_PORT"] = str(taken.getsockname()[1])
        process = product.spawn()
        product.wait_for_line("simulator keeps ending")
    assert process.wait(timeout=30) == 1
    assert any(line.startswith("  | ") for line in product.output)


def test_the_second_start_is_quick_and_keeps_the_state(product: Product) -> None:
    """Secrets and users survive; no sign-in link is printed once an admin has signed in."""
    product.start()
    product.stop()
    product.output.clear()
    secret = (product.var / "secrets" / "secret_key").read_text()
    began = time.monotonic()
    product.spawn()
    product.wait_for_line("Ctrl-C stops it")
    assert time.monotonic() - began < 30  # a stuck start; the figure is the README's to claim
    assert (product.var / "secrets" / "secret_key").read_text() == secret
    assert not any("First sign-in" in line for line in product.output)


def test_a_broken_setting_is_one_sentence(tmp_path: Path) -> None:
    """A wrong value in the environment names its variable, without a traceback."""
    broken = Product(tmp_path, LOG_LEVEL="LOUD")
    process = broken.spawn()
    assert process.wait(timeout=20) == 1
    broken.wait_for_line("LOG_LEVEL")
    assert "Traceback" not in "".join(broken.output)


def test_the_process_table_is_clean_when_the_supervisor_is_killed(product: Product) -> None:
    """Even without a goodbye, the next start finds the ground free."""
    product.start()
    children = _children(product)
    assert product.process is not None
    os.kill(product.process.pid, signal.SIGKILL)
    product.process.wait()
    assert _eventually(lambda: _alive(children) == [])

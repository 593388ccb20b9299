"""A refresh on a real Celery worker, and what is left when that worker is killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from catalog.leases import JITTER
from catalog.models import Change, OfferStatus, Refresh, RefreshState
from catalog.services import SILENT_AFTER, request_refresh
from tests.catalog.list_server import ListServer
from tests.factories import make_offer, make_provider
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def worker(redis_server: RedisServer) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on this test's database and Redis, in a process group of its own."""
    process = start_worker()
    yield process
    stop_worker(process)


def start_worker(*options: str, **environment: str) -> subprocess.Popen[bytes]:
    database = connection.settings_dict["NAME"]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "celery", "-A", "freellm_site", "worker"),
            *("--pool", "solo", "--loglevel", "WARNING", "--without-mingle", "--without-gossip"),
            *options,
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{database}", **environment},
        start_new_session=True,
    )


def stop_worker(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=20)


def wait_until(is_so: Callable[[], bool], within_s: float = 60) -> None:
    """Look ten times a second; raises AssertionError when it never comes true."""
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, "it never came true"
        pause.wait(0.1)


def test_a_worker_does_what_the_button_asks(
    server: ListServer, worker: subprocess.Popen[bytes]
) -> None:
    """From the queue through the worker into the catalog."""
    provider = make_provider(list_url=server.lists("/v1/models", "acme/wren-8b"))
    row = request_refresh()

    wait_until(lambda: Refresh.objects.get(pk=row.pk).state == RefreshState.DONE)

    assert provider.offers.get().external_id == "acme/wren-8b"


def test_a_worker_killed_in_the_middle_leaves_the_catalog_whole(
    server: ListServer, worker: subprocess.Popen[bytes]
) -> None:
    """What was renewed holds, what was not is as before; the next worker settles it by itself."""
    quick = make_provider(list_url=server.lists("/quick/models", "a-1b"))
    slow = make_provider(list_url=server.lists("/v1/slow", "b-2b", "c-3b"))
    kept = make_offer(slow, external_id="old-1b")
    row = request_refresh()
    wait_until(lambda: Refresh.objects.get(pk=row.pk).done == 1)

    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(timeout=20)

    kept.refresh_from_db()
    assert quick.offers.get().external_id == "a-1b"
    assert [offer.external_id for offer in slow.offers.all()] == ["old-1b"]
    assert kept.status == OfferStatus.ACTIVE
    server.release.set()
    _let_time_pass(row)
    next_worker = start_worker()
    try:
        wait_until(lambda: Refresh.objects.get(pk=row.pk).state == RefreshState.FAILED)
    finally:
        stop_worker(next_worker)
    row.refresh_from_db()
    assert "The worker that ran it is gone." in row.detail


def test_the_run_after_a_killed_worker_repairs(server: ListServer, tmp_path: Path) -> None:
    """By itself, as soon as the dead one is given up: nothing is doubled, nothing is lost."""
    quick = make_provider(list_url=server.lists("/quick/models", "a-1b"))
    slow = make_provider(list_url=server.lists("/v1/slow", "b-2b", "c-3b"))
    first = start_beating_worker(tmp_path / "first")
    wait_until(lambda: quick.offers.count() == 1 and len(server.requests) == 2)
    stop_worker(first)
    row = Refresh.objects.get()
    assert row.state == RefreshState.RUNNING
    server.release.set()
    _let_time_pass(row)

    second = start_beating_worker(tmp_path / "second")
    try:
        wait_until(lambda: slow.results.filter(is_ok=True).exists())
    finally:
        stop_worker(second)

    told = Change.objects.values_list("external_id", flat=True)
    assert sorted(told) == ["a-1b", "b-2b", "c-3b"]
    asked = [path for path, _ in server.requests]
    assert sorted(asked) == ["/quick/models", "/v1/slow", "/v1/slow"]


def test_two_workers_that_both_beat_ask_once_per_interval(
    server: ListServer, tmp_path: Path
) -> None:
    """Each looks every second; the list has an interval of four."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"), refresh_every_s=4)
    workers = [start_beating_worker(tmp_path / name) for name in ("one", "two")]
    try:
        wait_until(lambda: len(server.times) == 4)
    finally:
        for one in workers:
            stop_worker(one)

    gaps = [after - before for before, after in pairwise(server.times)]
    assert min(gaps) > 4 * (1 - JITTER) - 0.1
    assert provider.offers.count() == 1
    assert Change.objects.count() == 1


def start_beating_worker(folder: Path) -> subprocess.Popen[bytes]:
    """A worker with a beat of its own, which looks every second which lists are due."""
    folder.mkdir()
    schedule = str(folder / "schedule")
    return start_worker("-B", "-s", schedule, CATALOG_REFRESH_INTERVAL_S="60")


def _let_time_pass(row: Refresh) -> None:
    """As long as it takes to believe that the worker is gone."""
    long_ago = timezone.now() - SILENT_AFTER - dt.timedelta(seconds=1)
    Refresh.objects.filter(pk=row.pk).update(heartbeat_at=long_ago)

"""The page of the tasks, with a real worker that is started, watched and killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.tasks import settle
from monitoring.models import TaskRecord, TaskState
from monitoring.tasking.heartbeat import SILENT_AFTER_S
from monitoring.tasks import TASKS_KEPT_DAYS, prune_tasks
from tests.catalog.test_worker import ROOT, start_worker, stop_worker, wait_until
from tests.servers import RedisServer

PAGE = "/monitoring/tasks/"


def make_task(**fields: Any) -> TaskRecord:
    number = TaskRecord.objects.count()
    defaults: dict[str, Any] = {
        "task_id": f"task-{number:06}",
        "name": "catalog.tasks.settle",
        "state": TaskState.DONE,
        "arguments": {"args": [], "kwargs": {}},
        "sent_at": timezone.now(),
        "finished_at": timezone.now(),
    }
    record: TaskRecord = TaskRecord.objects.create(**{**defaults, **fields})
    return record


@pytest.fixture
def worker(redis_server: RedisServer) -> Iterator[subprocess.Popen[bytes]]:
    process = start_worker()
    yield process
    stop_worker(process)


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_seen_with_what_it_did_and_missed_when_it_is_killed(
    admin_client: Client, worker: subprocess.Popen[bytes]
) -> None:
    """It does not begin what was called off meanwhile, and does what is sent again."""
    wait_until(lambda: "alive" in admin_client.get(PAGE).text)
    settle.delay()
    wait_until(lambda: TaskRecord.objects.filter(state=TaskState.DONE).count() >= 2)
    page = admin_client.get(PAGE).text
    assert "1 worker, 0 tasks running, 0 waiting" in page
    assert "Beat is not heard" in page
    done = TaskRecord.objects.filter(name="catalog.tasks.settle").latest("pk")
    assert done.worker.startswith("celery@")
    assert done.took_s is not None

    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(timeout=20)
    wait_until(lambda: "No worker is there: tasks wait" in admin_client.get(PAGE).text)
    assert "gone" in admin_client.get(PAGE).text

    settle.delay()
    off = TaskRecord.objects.latest("pk")
    assert off.state == TaskState.QUEUED
    answer = admin_client.post(f"{PAGE}{off.pk}/revoke/", follow=True)
    assert "“settle” is called off." in answer.text
    again = admin_client.post(f"{PAGE}{off.pk}/retry/", follow=True)
    assert "“settle” was sent again." in again.text
    sent = TaskRecord.objects.latest("pk")
    next_worker = start_worker()
    try:
        wait_until(lambda: TaskRecord.objects.get(pk=sent.pk).state == TaskState.DONE)
    finally:
        stop_worker(next_worker)
    off.refresh_from_db()
    assert off.state == TaskState.REVOKED
    assert off.started_at is None


def test_beat_says_goodbye_when_it_is_stopped(
    viewer_client: Client, redis_server: RedisServer, tmp_path: Path
) -> None:
    """A restart leaves no process behind that seems to have died."""
    schedule = ("--schedule", str(tmp_path / "schedule"), "--pidfile", "")
    beat = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "freellm_site", "--quiet", "beat", *schedule],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"},
        start_new_session=True,
    )
    try:
        wait_until(lambda: "beat@" in viewer_client.get(PAGE).text)
        beat.terminate()
        beat.wait(timeout=30)
    finally:
        stop_worker(beat)
    assert "beat@" not in viewer_client.get(PAGE).text


def test_a_task_sent_within_a_transaction_leaves_it_whole(db: None) -> None:
    """Its record is written in it, and its connection is not closed under it."""
    with transaction.atomic():
        settle.delay()
        assert TaskRecord.objects.get().state == TaskState.QUEUED
    assert TaskRecord.objects.count() == 1


def test_what_has_begun_cannot_be_called_off(admin_client: Client) -> None:
    row = make_task(state=TaskState.RUNNING, started_at=timezone.now(), finished_at=None)
    answer = admin_client.post(f"{PAGE}{row.pk}/revoke/", follow=True)
    assert "“settle” has begun already." in answer.text
    row.refresh_from_db()
    assert row.state == TaskState.RUNNING
    assert admin_client.post(f"{PAGE}999/revoke/").status_code == 404


def test_a_task_whose_worker_is_gone_is_told_as_such(
    admin_client: Client, viewer_client: Client
) -> None:
    long_ago = timezone.now() - dt.timedelta(seconds=SILENT_AFTER_S + 5)
    make_task(state=TaskState.RUNNING, sent_at=long_ago, started_at=long_ago, finished_at=None)
    assert "its worker is gone" in viewer_client.get(PAGE).text
    assert "Send again" in admin_client.get(PAGE).text
    assert "Send again" not in viewer_client.get(PAGE).text


def test_an_unknown_task_cannot_be_sent_again(admin_client: Client) -> None:
    for row in (
        make_task(name="os.system", state=TaskState.FAILED),
        make_task(arguments=None, state=TaskState.FAILED),
    ):
        answer = admin_client.post(f"{PAGE}{row.pk}/retry/", follow=True)
        assert "cannot be sent again" in answer.text


def test_ten_thousand_results_are_paged(
    viewer_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    now = timezone.now()
    TaskRecord.objects.bulk_create(
        TaskRecord(
            task_id=str(number),
            name="catalog.tasks.settle",
            state=TaskState.FAILED if number % 2 else TaskState.DONE,
            sent_at=now,
            finished_at=now,
            detail="Because of a pigeon" if number % 2 else "",
        )
        for number in range(10_000)
    )
    viewer_client.get(PAGE + "history/")
    with django_assert_num_queries(3):  # who asks, how many there are, a page of them
        page = viewer_client.get(PAGE + "history/?state=failed&page=7")
    assert "5" in page.text
    assert page.text.count("Because of a pigeon") == 100  # each with its title
    assert viewer_client.get(PAGE + "history/?page=0&state=pigeons").status_code == 200
    assert viewer_client.get(PAGE).status_code == 200


def test_results_are_forgotten_after_a_week(db: None) -> None:
    """What still waits or runs is not."""
    old = timezone.now() - dt.timedelta(days=TASKS_KEPT_DAYS, hours=1)
    make_task(sent_at=old)
    waits = make_task(sent_at=old, state=TaskState.QUEUED)
    kept = make_task()
    assert prune_tasks() == 1
    assert set(TaskRecord.objects.values_list("pk", flat=True)) == {waits.pk, kept.pk}


def test_without_redis_it_says_so_and_keeps_the_results(
    viewer_client: Client, redis_server: RedisServer
) -> None:
    make_task(detail="Because of a pigeon", state=TaskState.FAILED)
    redis_server.kill()
    page = viewer_client.get(PAGE)
    assert page.status_code == 200
    assert "Redis is away: workers cannot be heard" in page.text
    assert "Because of a pigeon" in viewer_client.get(PAGE + "history/").text

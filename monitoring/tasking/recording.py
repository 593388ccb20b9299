"""Keeps a record of every task, as Celery's signals tell of it.

In the database rather than in a result backend: it is there whatever the broker is, it outlives
Redis, it can be asked for pages, and a task that waits can be called off in it though no worker is
there to hear. Trouble with a record never troubles the task.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery import Task
from celery.signals import (
    after_task_publish,
    task_failure,
    task_prerun,
    task_retry,
    task_success,
)
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from monitoring.models import TaskRecord, TaskState

logger = logging.getLogger(__name__)

LONGEST_ARGUMENTS = 2_000
LONGEST_DETAIL = 2_000


@after_task_publish.connect
def note_sent(headers: Mapping[str, Any] | None = None, body: Any = None, **_: object) -> None:
    told = headers or {}
    args, kwargs = body[:2] if isinstance(body, tuple | list) else ((), {})
    with _forgiving():
        # A quick worker may have noted its beginning already.
        row = _new(told["id"], told["task"], list(args), dict(kwargs))
        TaskRecord.objects.bulk_create([row], ignore_conflicts=True)
    if not connection.in_atomic_block:
        close_old_connections()  # beat would keep its own for ever


@task_prerun.connect
def note_started(
    task_id: str, task: Task[Any, Any], args: Any = (), kwargs: Any = None, **_: object
) -> None:
    began = {
        "state": TaskState.RUNNING,
        "started_at": timezone.now(),
        "worker": (getattr(task.request, "hostname", "") or "")[:150],
    }
    with _forgiving():
        found = TaskRecord.objects.filter(task_id=task_id)
        if found.exclude(state=TaskState.REVOKED).update(**began) or found.exists():
            return
        row = _new(task_id, task.name, list(args or ()), dict(kwargs or {}))
        for name, value in began.items():
            setattr(row, name, value)
        TaskRecord.objects.bulk_create([row], ignore_conflicts=True)


@task_success.connect
def note_done(sender: Task[Any, Any], result: object = None, **_: object) -> None:
    _end(sender, TaskState.DONE, "" if result is None else f"Returned {result!r}.")


@task_failure.connect
def note_failed(task_id: str, exception: BaseException, **_: object) -> None:
    _ended(task_id, TaskState.FAILED, f"{type(exception).__name__}: {exception}")


@task_retry.connect
def note_retried(request: Any, reason: object, **_: object) -> None:
    with _forgiving():
        again = {"state": TaskState.QUEUED, "detail": f"Tried again: {reason}"[:LONGEST_DETAIL]}
        TaskRecord.objects.filter(task_id=request.id).update(**again)


def is_revoked(task_id: str) -> bool:
    """Whether it was called off before it began; False where nobody can know."""
    revoked = TaskRecord.objects.filter(task_id=task_id, state=TaskState.REVOKED)
    try:
        return revoked.exists()
    except DatabaseError as error:
        logger.warning("Whether a task was called off could not be read: %s", error)
        return False


def _end(task: Task[Any, Any], state: TaskState, detail: str) -> None:
    if task.request.id:
        _ended(task.request.id, state, detail)


def _ended(task_id: str, state: TaskState, detail: str) -> None:
    with _forgiving():
        TaskRecord.objects.filter(task_id=task_id).update(
            state=state, finished_at=timezone.now(), detail=detail[:LONGEST_DETAIL]
        )


def _new(task_id: str, name: str, args: list[Any], kwargs: dict[str, Any]) -> TaskRecord:
    arguments: dict[str, Any] | None = {"args": args, "kwargs": kwargs}
    try:
        if len(json.dumps(arguments)) > LONGEST_ARGUMENTS:
            arguments = None
    except (TypeError, ValueError):
        arguments = None
    return TaskRecord(task_id=task_id, name=name[:150], arguments=arguments, sent_at=timezone.now())


@contextmanager
def _forgiving() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, SynchronousOnlyOperation, KeyError) as error:
        logger.warning("A task could not be noted: %s", error)

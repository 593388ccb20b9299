"""What the page of the tasks says of its sample. Pure: the same live and still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from freellm_site.lib import format as formats
from monitoring.models import TaskRecord, TaskState
from monitoring.tasking.heartbeat import SILENT_AFTER_S, Beating

if TYPE_CHECKING:
    from monitoring.tasking.sampler import TasksSample

SHOWN = 50
_TOLD_APART = timedelta(seconds=SILENT_AFTER_S)

# The page's live parts and their templates.
PARTS = {
    "processes": "monitoring/tasks/_process_rows.html",
    "unfinished": "monitoring/tasks/_unfinished_rows.html",
    "schedule": "monitoring/tasks/_schedule_rows.html",
    "recent": "monitoring/tasks/_recent_rows.html",
}

_LOOKS = {
    TaskState.QUEUED: ("unknown", "idle"),
    TaskState.RUNNING: ("full", "ok"),
    TaskState.DONE: ("full", "ok"),
    TaskState.FAILED: ("hollow", "bad"),
    TaskState.REVOKED: ("unknown", "idle"),
}


@dataclass(frozen=True, slots=True)
class TaskRow:
    record: TaskRecord
    is_orphaned: bool = False  # its worker is gone
    progress: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        """`catalog.tasks.refresh_all` is "refresh all"."""
        return self.record.name.rpartition(".")[2].replace("_", " ")

    @property
    def glyph(self) -> str:
        return "hollow" if self.is_orphaned else _LOOKS[TaskState(self.record.state)][0]

    @property
    def tone(self) -> str:
        return "bad" if self.is_orphaned else _LOOKS[TaskState(self.record.state)][1]

    @property
    def word(self) -> str:
        return "its worker is gone" if self.is_orphaned else str(TaskState(self.record.state).label)

    @property
    def may_be_revoked(self) -> bool:
        """A thread that runs cannot be broken off from outside; it ends by its time limit."""
        return self.record.state == TaskState.QUEUED

    @property
    def may_be_sent_again(self) -> bool:
        is_over = self.is_orphaned or self.record.state in (TaskState.FAILED, TaskState.REVOKED)
        return is_over and self.record.arguments is not None

    @property
    def share(self) -> float | None:
        done, total = self.progress or (0, 0)
        return done / total if total else None


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One line of beat's timetable."""

    title: str
    name: str
    every_s: float
    last: TaskRecord | None

    @property
    def row(self) -> TaskRow | None:
        return TaskRow(self.last) if self.last else None

    @property
    def due_at(self) -> datetime | None:
        return self.last.sent_at + timedelta(seconds=self.every_s) if self.last else None


@dataclass(frozen=True)
class TasksPicture:
    sample: TasksSample

    @property
    def processes(self) -> list[Beating]:
        return list(self.sample.processes)

    @cached_property
    def workers(self) -> list[Beating]:
        return [one for one in self.sample.processes if one.kind == "worker" and one.is_alive]

    @property
    def has_beat(self) -> bool:
        return any(one.kind == "beat" and one.is_alive for one in self.sample.processes)

    @cached_property
    def unfinished(self) -> list[TaskRow]:
        active = {task_id for one in self.workers for task_id in one.active}
        return [
            TaskRow(record, _is_orphaned(record, active), self._progress(record))
            for record in self.sample.unfinished
        ]

    @property
    def recent(self) -> list[TaskRow]:
        return [TaskRow(record) for record in self.sample.recent]

    @property
    def schedule(self) -> list[ScheduleRow]:
        timetable: Mapping[str, Mapping[str, object]] = settings.CELERY_BEAT_SCHEDULE
        rows = []
        for title, entry in timetable.items():
            name, every_s = str(entry["task"]), float(str(entry["schedule"]))
            rows.append(ScheduleRow(title, name, every_s, self.sample.latest.get(name)))
        return sorted(rows, key=lambda one: one.every_s)

    @property
    def headline(self) -> str:
        if not self.workers:
            return "No worker is there: tasks wait"
        running = sum(len(one.active) for one in self.workers)
        said = f"{formats.counted(len(self.workers), 'worker')}, {formats.counted(running, 'task')}"
        waiting = self.sample.in_broker
        tail = "" if waiting is None else f", {formats.quantity(waiting)} waiting"
        return f"{said} running{tail}"

    def _progress(self, record: TaskRecord) -> tuple[int, int] | None:
        """A refresh tells how many of its lists are renewed."""
        if not record.name.startswith("catalog.tasks.refresh") or record.arguments is None:
            return None
        args = record.arguments.get("args") or [None]
        return self.sample.progress.get(args[0])


def _is_orphaned(record: TaskRecord, active: set[str]) -> bool:
    """Said to run, but by nobody who is there; a moment may pass between the two tellings."""
    if record.state != TaskState.RUNNING or record.task_id in active:
        return False
    return timezone.now() - record.since > _TOLD_APART

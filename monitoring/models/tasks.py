"""What became of every piece of background work."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Max


class TaskState(models.TextChoices):
    QUEUED = "queued", "waits"
    RUNNING = "running", "runs"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    REVOKED = "revoked", "revoked"


ENDED = (TaskState.DONE, TaskState.FAILED, TaskState.REVOKED)


class TaskQuerySet(models.QuerySet["TaskRecord"]):
    def unfinished(self) -> Self:
        """What runs, then what waits, oldest first."""
        found = self.filter(state__in=(TaskState.RUNNING, TaskState.QUEUED))
        return found.order_by("-state", "pk")

    def ended(self) -> Self:
        return self.filter(state__in=ENDED).order_by("-pk")

    def latest_of_each(self) -> dict[str, TaskRecord]:
        """The last one of every name."""
        newest = self.order_by().values("name").annotate(newest=Max("pk")).values("newest")
        return {one.name: one for one in self.model.objects.filter(pk__in=newest)}


class TaskRecord(models.Model):
    """One task, from the moment it was sent. Without `arguments` it cannot be sent again."""

    task_id = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=150)
    state = models.CharField(max_length=10, choices=TaskState.choices, default=TaskState.QUEUED)
    arguments = models.JSONField(null=True, default=None)  # {"args": [...], "kwargs": {...}}
    sent_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=150, blank=True)
    detail = models.TextField(blank=True)  # why it failed, or what it returned

    objects = TaskQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["state", "-id"], name="task_state_newest"),
            models.Index(fields=["name", "-id"], name="task_name_newest"),
            models.Index(fields=["sent_at"], name="task_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def took_s(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    @property
    def since(self) -> datetime:
        return self.started_at or self.sent_at

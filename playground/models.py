"""Conversations and their runs: what was asked, what came back, and what it took."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from playground.querysets import ConversationQuerySet, RunQuerySet

TITLE_CHARACTERS = 80
# A run writes its beat twice a second; one this old has lost its web process.
BEAT_LOST_AFTER = timedelta(seconds=5)


class Conversation(models.Model):
    """A person's exchange of prompts and answers. Nobody else may see it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    title = models.CharField(max_length=TITLE_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-updated_at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["user", "-updated_at"], name="conversation_by_user"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("playground:conversation", args=[self.pk])


class RunState(models.TextChoices):
    QUEUED = "queued", "Waiting to start"
    RUNNING = "running", "Running"
    DONE = "done", "Answered"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"


class Run(models.Model):
    """One prompt and its answer. A retry is a run of its own that replaces `retry_of`.

    Its context are the turns whose `context_before` is lower: its own position, or that of the
    first run which it asks again. `plan` holds the offers to try, in order; `pick` why the first
    of them was chosen; `trail` the attempts as `gateway.types.Attempt` fields. Times are seconds.
    """

    SOURCE: ClassVar = "playground"  # which part of the product calls, as the engine is told

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    position = models.PositiveIntegerField()
    context_before = models.PositiveIntegerField()
    retry_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retries"
    )
    prompt = models.TextField()
    system = models.TextField(blank=True)
    task = models.CharField(max_length=20)
    complexity = models.CharField(max_length=10)
    parameters = models.JSONField(default=dict)
    is_pinned = models.BooleanField(default=False)  # chosen by the person, else automatically
    plan = models.JSONField(default=list)
    pick = models.JSONField(default=dict)
    dropped_turns = models.PositiveIntegerField(default=0)  # earlier turns that did not fit

    state = models.CharField(max_length=8, choices=RunState.choices, default=RunState.QUEUED)
    is_stop_asked = models.BooleanField(default=False)
    answer = models.TextField(blank=True)
    reasoning = models.TextField(blank=True)  # what it thought, where the provider shows it
    tool_calls = models.JSONField(default=list)  # {"name", "arguments"}, as the model wrote them
    error = models.TextField(blank=True)  # one sentence for a person
    provider = models.CharField(max_length=80, blank=True)
    model = models.CharField(max_length=200, blank=True)
    label = models.CharField(max_length=320, blank=True)
    call_id = models.CharField(max_length=40, blank=True)
    cached = models.CharField(max_length=12, blank=True)  # the tier that answered
    finish_reason = models.CharField(max_length=40, blank=True)
    first_token_s = models.FloatField(null=True, blank=True)
    duration_s = models.FloatField(null=True, blank=True)
    tokens_per_s = models.FloatField(null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    is_usage_estimated = models.BooleanField(default=False)
    trail = models.JSONField(default=list)

    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)  # by a page of another process
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["context_before", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["conversation", "position"], name="one_run_per_position"
            ),
        ]
        indexes: ClassVar = [
            # The few that run now, among all that ever did.
            models.Index(fields=["beat_at"], condition=Q(state="running"), name="run_beating"),
        ]

    def __str__(self) -> str:
        return f"Run {self.pk} ({self.state})"

    @property
    def offers_retry(self) -> bool:
        return self.state in {RunState.FAILED, RunState.STOPPED}

    @property
    def is_over(self) -> bool:
        return self.state not in {RunState.QUEUED, RunState.RUNNING}

    @property
    def owner(self) -> str:
        """Whose call it is, as the engine knows people."""
        return f"user:{self.conversation.user_id}"

    @property
    def last_sign(self) -> datetime | None:
        """When its web process was last known to work on it."""
        return self.beat_at or self.started_at

    @property
    def is_interrupted(self) -> bool:
        """Still marked running, but its web process has not written for too long."""
        return (
            self.state == RunState.RUNNING
            and self.last_sign is not None
            and timezone.now() - self.last_sign > BEAT_LOST_AFTER
        )

"""What is kept of every call: one row each, without prompts, answers or keys."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.urls import reverse

from gateway.types import Attempt, Outcome
from monitoring.querysets import CallQuerySet


class Course(models.TextChoices):
    """How a call went, seen from the caller: the five colours of every chart."""

    FIRST = "first", "first target"
    CACHE = "cache", "cache"
    FALLBACK = "fallback", "fallback"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


ANSWERED_COURSES = (Course.FIRST, Course.CACHE, Course.FALLBACK)


class CallRecord(models.Model):
    """One finished call, as the engine's event told it. Durations in seconds."""

    call_id = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()  # when the call began
    at_s = models.BigIntegerField()  # the same in whole Unix seconds, for steps of any length
    source = models.CharField(max_length=40, blank=True)
    owner = models.CharField(max_length=150, blank=True)
    outcome = models.CharField(max_length=20)
    course = models.CharField(max_length=10, choices=Course.choices)
    provider = models.CharField(max_length=80, blank=True)
    model = models.CharField(max_length=200, blank=True)
    key_id = models.CharField(max_length=80, blank=True)
    cached = models.CharField(max_length=20, blank=True)
    is_streamed = models.BooleanField(default=False)
    duration_s = models.FloatField()
    first_token_s = models.FloatField(null=True, blank=True)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    is_usage_estimated = models.BooleanField(default=False)
    attempts = models.JSONField(default=list, blank=True)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    throttled_count = models.PositiveSmallIntegerField(default=0)  # 429s among the attempts
    detail = models.TextField(blank=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="call_newest"),
            models.Index(fields=["provider", "-at", "-id"], name="call_provider_newest"),
            models.Index(fields=["course", "-at", "-id"], name="call_course_newest"),
            models.Index(fields=["outcome", "-at", "-id"], name="call_outcome_newest"),
            models.Index(fields=["source", "-at", "-id"], name="call_source_newest"),
            models.Index(fields=["owner", "-at", "-id"], name="call_owner_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} ({self.outcome})"

    def get_absolute_url(self) -> str:
        return reverse("monitoring:call-detail", args=[self.call_id])

    @property
    def is_answered(self) -> bool:
        return self.outcome == Outcome.ANSWERED

    @property
    def is_usage_known(self) -> bool:
        """No provider reports what a call cost that it refused or that was cut off."""
        return self.is_answered or self.prompt_tokens + self.completion_tokens > 0

    @property
    def trail(self) -> tuple[Attempt, ...]:
        """The attempts as the engine's own type; they were written by `recorder`."""
        return tuple(Attempt.from_plain(one) for one in self.attempts)

"""What stays of calls when their rows are gone: sums by step of time and by whom they concern."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from monitoring.querysets import RollupQuerySet
from monitoring.subjects import Kind


class Rollup(models.Model):
    """The calls of one subject that began within one step of time, added up.

    Written together with the calls' own rows, in one transaction (`keeping`). `step_s` is 0 in
    the rows that count since the first call.
    """

    step_s = models.PositiveIntegerField()
    at_s = models.BigIntegerField()  # Unix time at which the step starts, a multiple of `step_s`
    kind = models.CharField(max_length=10, choices=Kind.choices)
    provider = models.CharField(max_length=80, blank=True)
    name = models.CharField(max_length=200, blank=True)
    first = models.PositiveBigIntegerField(default=0)
    cache = models.PositiveBigIntegerField(default=0)
    fallback = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    cancelled = models.PositiveBigIntegerField(default=0)
    throttled = models.PositiveBigIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    # Sketches (`sketch.Sketch.to_plain`) of answers by providers.
    duration_s = models.JSONField(default=list, blank=True)
    first_token_s = models.JSONField(default=list, blank=True)
    tokens_per_s = models.JSONField(default=list, blank=True)

    objects = RollupQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["step_s", "kind", "provider", "name", "at_s"], name="rollup_subject_step"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["step_s", "kind", "at_s"], name="rollup_kind_step"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider} {self.name} at {self.at_s} for {self.step_s} s"

"""What changed the state of breakers, and who did where a person did."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class BreakerEvent(models.Model):
    """One change, as the engine's story told it; kept once, whoever read it there."""

    provider = models.CharField(max_length=80)
    model = models.CharField(max_length=200, blank=True)  # "": the provider's own breaker
    entry_id = models.CharField(max_length=40)  # in the story of the provider
    at = models.DateTimeField()
    kind = models.CharField(max_length=20)  # a ChangeKind of the engine
    until = models.DateTimeField(null=True, blank=True)
    trips = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True)
    by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "entry_id"], name="one_row_per_change"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-at", "-id"], name="breaker_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model or '*'}: {self.kind}"

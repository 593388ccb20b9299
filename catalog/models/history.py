"""Refreshes of the lists, and what they changed."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from catalog.models.offers import Offer
from catalog.models.providers import Provider
from catalog.querysets import RefreshResultQuerySet
from catalog.sources.oddities import odd_words


class RefreshState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


ACTIVE_STATES = (RefreshState.QUEUED, RefreshState.RUNNING)


class Refresh(models.Model):
    """One renewal of the lists, of all providers or of one."""

    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.CASCADE, related_name="refreshes"
    )  # null: all, or where it is scheduled those that are due
    is_scheduled = models.BooleanField(default=False)
    state = models.CharField(
        max_length=8, choices=RefreshState.choices, default=RefreshState.QUEUED
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)  # its worker was alive then
    finished_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    detail = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                Coalesce("provider", 0),
                "is_scheduled",
                condition=models.Q(state__in=ACTIVE_STATES),
                name="one_active_refresh",
            ),
        ]

    def __str__(self) -> str:
        return f"Refresh {self.pk} ({self.state})"

    @property
    def scope(self) -> str:
        """Whose lists it renews: "Groq", "all lists" or "the lists that were due"."""
        if self.provider is not None:
            return self.provider.name
        return "the lists that were due" if self.is_scheduled else "all lists"


class RefreshResult(models.Model):
    """What one provider's list said in one refresh."""

    refresh = models.ForeignKey(Refresh, on_delete=models.CASCADE, related_name="results")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="results")
    is_ok = models.BooleanField()
    detail = models.TextField(blank=True)  # one sentence: what went wrong and the remedy
    listed = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    odd = models.JSONField(default=dict, blank=True)  # {"no_id": 2}, see catalog.sources.listed
    held = models.ForeignKey(
        "catalog.HeldList", null=True, blank=True, on_delete=models.SET_NULL, related_name="results"
    )
    duration_s = models.FloatField(default=0)

    objects = models.Manager.from_queryset(RefreshResultQuerySet)()

    class Meta:
        ordering: ClassVar = ["provider__name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["refresh", "provider"], name="one_result_per_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.provider.name}: {self.detail or self.listed}"

    @property
    def odd_words(self) -> str:
        return odd_words(self.odd)


class ChangeKind(models.TextChoices):
    ADDED = "added", "New"
    MISSING = "missing", "Missing"
    GONE = "gone", "Gone"
    RETURNED = "returned", "Returned"
    CHANGED = "changed", "Changed"
    LIMITS = "limits", "Limits"
    RENAMED = "renamed", "Renamed"


class Change(models.Model):
    """One difference a refresh found; kept after the offer itself is gone."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    kind = models.CharField(max_length=10, choices=ChangeKind.choices)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="changes")
    offer = models.ForeignKey(
        Offer, null=True, blank=True, on_delete=models.SET_NULL, related_name="changes"
    )
    external_id = models.CharField(max_length=200)
    model_name = models.CharField(max_length=160)
    detail = models.CharField(max_length=300, blank=True)  # "context 256k, was 131k"
    refresh = models.ForeignKey(
        Refresh, null=True, blank=True, on_delete=models.SET_NULL, related_name="changes"
    )

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.model_name} on {self.provider.name}"

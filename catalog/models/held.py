"""Lists that shrank too much to be believed without a person."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from catalog.models.history import Refresh
from catalog.models.providers import Provider


class HeldState(models.TextChoices):
    WAITING = "waiting", "Waits for a decision"
    APPLIED = "applied", "Applied"
    DISMISSED = "dismissed", "Dismissed"
    OVERTAKEN = "overtaken", "Overtaken by a later list"


class HeldList(models.Model):
    """A list that was read and not applied. The same list read again is the same row."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="held_lists")
    refresh = models.ForeignKey(
        Refresh, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    digest = models.CharField(max_length=64)  # of its ids
    entries = models.JSONField()  # the fields of each `catalog.sources.listed.ListedModel`
    lost = models.PositiveIntegerField()  # of the models listed before,
    before = models.PositiveIntegerField()  # which were so many
    state = models.CharField(
        max_length=10, choices=HeldState.choices, default=HeldState.WAITING, db_index=True
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["provider"],
                condition=models.Q(state=HeldState.WAITING),
                name="one_list_waits_per_provider",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider.name}: {len(self.entries)} models, {self.get_state_display()}"

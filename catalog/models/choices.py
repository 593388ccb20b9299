"""Choices: the admin's for the whole catalog, and everybody's for their own lists."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class SiteChoice(models.Model):
    """The admin's choices for the whole catalog; one row."""

    SIMULATOR_CHOICES: ClassVar = [
        ("auto", "while no real provider is usable"),
        ("on", "always"),
        ("off", "never"),
    ]

    simulator = models.CharField(max_length=4, choices=SIMULATOR_CHOICES, default="auto")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_site_choice"),
        ]

    def __str__(self) -> str:
        return "Catalog choices"

    @classmethod
    def current(cls) -> SiteChoice:
        return cls.objects.get_or_create(pk=1)[0]


class ListChoice(models.Model):
    """How somebody wants to see the catalog's lists."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", primary_key=True
    )
    columns = models.JSONField(default=dict, blank=True)  # by view, see `catalog.columns`

    def __str__(self) -> str:
        return f"The lists of {self.user}"

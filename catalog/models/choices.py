"""Choices: of everybody for their own lists, and of admins for the catalog and what is in it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from catalog.models.offers import Model, Offer
from catalog.models.providers import Provider
from catalog.querysets import ChoiceQuerySet


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


class Aspect(models.TextChoices):
    """What can be chosen; the value's type stands beside."""

    HIDDEN = "hidden", "Hidden"  # true
    PINNED = "pinned", "Pinned"  # true
    NAME = "name", "Name"  # text
    LIMITS = "limits", "Limits"  # {"rpm": 20, "tpd": null}; null: no such limit
    FREE = "free", "Free"  # true or false
    NOTE = "note", "Note"  # text


class Choice(models.Model):
    """One thing an admin decided against what refreshes and the mapping say.

    Neither of them writes here, so a choice holds until it is taken back. A row is never altered
    but to end it: those that ended are the history.
    """

    offer = models.ForeignKey(
        Offer, null=True, blank=True, on_delete=models.CASCADE, related_name="choices"
    )
    model = models.ForeignKey(
        Model, null=True, blank=True, on_delete=models.CASCADE, related_name="choices"
    )
    provider = models.ForeignKey(
        Provider, null=True, blank=True, on_delete=models.CASCADE, related_name="choices"
    )
    aspect = models.CharField(max_length=8, choices=Aspect.choices)
    value = models.JSONField()
    before = models.JSONField(null=True, blank=True)  # what held until then
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)  # null: in force

    objects = models.Manager.from_queryset(ChoiceQuerySet)()

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(offer__isnull=False, model__isnull=True, provider__isnull=True)
                | Q(offer__isnull=True, model__isnull=False, provider__isnull=True)
                | Q(offer__isnull=True, model__isnull=True, provider__isnull=False),
                name="choice_of_one_thing",
            ),
            *(
                models.UniqueConstraint(
                    fields=[subject, "aspect"],
                    condition=Q(ended_at__isnull=True),
                    name=f"one_choice_in_force_of_{subject}",
                )
                for subject in ("offer", "model", "provider")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_aspect_display()} of {self.subject}"

    @property
    def subject(self) -> Offer | Model | Provider:
        return self.offer or self.model or self.provider  # type: ignore[return-value]  # one is

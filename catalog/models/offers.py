"""Models, and who offers them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from catalog.chosen import Choosable, Limits, Pinned, pinned_limits, with_pinned
from catalog.models.providers import Provider
from catalog.querysets import ModelQuerySet, OfferQuerySet


class Modality(models.TextChoices):
    CHAT = "chat", "Chat"
    VISION = "vision", "Chat with images"
    EMBEDDING = "embedding", "Embedding"
    STT = "stt", "Speech to text"
    TTS = "tts", "Text to speech"
    GUARD = "guard", "Guard"
    IMAGE = "image", "Image"


CHAT_MODALITIES = (Modality.CHAT, Modality.VISION)


class Model(Choosable, models.Model):
    """What people mean by "Llama 3.3 70B Instruct", whoever serves it."""

    slug = models.SlugField(max_length=160, unique=True)
    name = models.CharField(max_length=160)
    family = models.CharField(max_length=60, blank=True, db_index=True)
    params_b = models.FloatField(null=True, blank=True)  # billions; null is unknown, not zero
    active_params_b = models.FloatField(null=True, blank=True)
    modality = models.CharField(max_length=12, choices=Modality.choices, default=Modality.CHAT)
    specialties = models.JSONField(default=list, blank=True)
    first_seen = models.DateTimeField(default=timezone.now)

    objects = models.Manager.from_queryset(ModelQuerySet)()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.shown_name

    def get_absolute_url(self) -> str:
        return reverse("catalog:model-detail", args=[self.slug])

    @property
    def shown_name(self) -> str:
        """The name people read; `name` is what the lists and the mapping call it."""
        return self.chosen.name or self.name


class OfferStatus(models.TextChoices):
    ACTIVE = "active", "Offered"
    MISSING = "missing", "Missing from the list"
    RETIRED = "retired", "Retired"


class Offer(Choosable, models.Model):
    """A model as one provider serves it: facts only, an admin's `Choice` may outrank them."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="offers")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="offers")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=160, blank=True)  # where it differs from the model's name
    context_tokens = models.PositiveIntegerField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    limits = models.JSONField(default=dict, blank=True)  # own limits; else the provider's hold
    status = models.CharField(
        max_length=8, choices=OfferStatus.choices, default=OfferStatus.ACTIVE, db_index=True
    )
    is_listed = models.BooleanField(default=False)  # seen in the provider's own list
    first_seen = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(null=True, blank=True)
    missing_since = models.DateTimeField(null=True, blank=True)
    retired_on = models.DateField(null=True, blank=True)
    limits_probed_at = models.DateTimeField(null=True, blank=True)
    # Calls to it are answered 404 or 410, and when it is asked again: see catalog.refused.
    refused_since = models.DateTimeField(null=True, blank=True)
    probe_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = models.Manager.from_queryset(OfferQuerySet)()

    class Meta:
        ordering: ClassVar = ["provider__name", "external_id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "external_id"], name="one_offer_per_id"),
        ]

    def __str__(self) -> str:
        return f"{self.model.shown_name} on {self.provider.name}"

    @property
    def is_hidden(self) -> bool:
        return self.chosen.is_hidden or self.model.chosen.is_hidden

    @property
    def is_free(self) -> bool:
        """Only what is free is in the catalog, unless an admin says otherwise."""
        return self.chosen.is_free is not False

    @property
    def published_limits(self) -> Limits:
        """The offer's own limits where it has any, else the provider's."""
        limits: Limits = self.limits or self.provider.limits
        return limits

    @property
    def pinned_limits(self) -> Pinned:
        """What admins set instead."""
        return pinned_limits(self.limits, self.chosen, self.provider.chosen)

    @property
    def effective_limits(self) -> Limits:
        """The limits in force: those published, with what an admin set instead."""
        return with_pinned(self.published_limits, self.pinned_limits)

"""Providers' keys, encrypted at rest."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from catalog.models.providers import Provider


class KeyVerdict(models.TextChoices):
    """What a real call said about a key."""

    UNTESTED = "untested", "Not tested yet"
    WORKS = "works", "Works"
    WRONG_KEY = "wrong_key", "Wrong key"
    NO_PERMISSION = "no_permission", "No permission"
    QUOTA_USED_UP = "quota_used_up", "Quota used up"
    PROVIDER_DOWN = "provider_down", "Provider down"
    UNCLEAR = "unclear", "Unclear answer"


class ProviderKey(models.Model):
    """A key, encrypted at rest (`freellm_site.lib.crypto`); only its tail is ever shown."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="keys")
    label = models.CharField(max_length=80)
    secret_encrypted = models.TextField()
    tail = models.CharField(max_length=4, blank=True)
    fingerprint = models.CharField(max_length=64)  # keyed hash: finds the same key added twice
    extra = models.JSONField(default=dict, blank=True)  # {"CLOUDFLARE_ACCOUNT_ID": "..."}
    is_enabled = models.BooleanField(default=True)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    verdict = models.CharField(
        max_length=16, choices=KeyVerdict.choices, default=KeyVerdict.UNTESTED
    )
    verdict_detail = models.TextField(blank=True)
    evidence = models.JSONField(default=list, blank=True)  # see catalog.key_check.Evidence
    checked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["provider__name", "created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "fingerprint"], name="no_key_twice"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.provider.name})"

"""Tokens with which programs read the catalog."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from django.utils import timezone

# When a token was used last is written at most this often: a feed reader is no reason to write.
_USE_NOTED_EVERY = timedelta(hours=1)


class ReadTokenManager(models.Manager["ReadToken"]):
    def issue(self, user_id: int, label: str) -> str:
        """A new token; it is kept as a hash only, so this is the one time it is known."""
        token = f"read_{secrets.token_urlsafe(24)}"
        self.create(user_id=user_id, label=label, token_hash=_hash(token))
        return token

    def user_of(self, token: str) -> AbstractBaseUser | None:
        """Whose token this is; None where it is revoked or its user deactivated."""
        found = self.select_related("user").filter(
            token_hash=_hash(token), user__is_active=True, revoked_at__isnull=True
        )
        row = found.first()
        if row is None:
            return None
        now = timezone.now()
        if row.used_at is None or now - row.used_at > _USE_NOTED_EVERY:
            found.update(used_at=now)
        return row.user


class ReadToken(models.Model):
    """Reads the feed of changes and the offers, in the name of a user; nothing else."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="read_tokens"
    )
    label = models.CharField(max_length=80)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)  # within the hour
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ReadTokenManager] = ReadTokenManager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return self.label


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

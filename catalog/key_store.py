"""Writing keys: encrypted, once each, with the verdict of their last check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from catalog import generation
from catalog.key_check import KeyReport
from catalog.keys import environment_key
from catalog.models import Provider, ProviderKey
from freellm_site.lib.crypto import CannotDecrypt, encrypt, fingerprint, rotate
from gateway.types import Secret


@dataclass(frozen=True, slots=True)
class NewKey:
    provider: Provider
    secret: Secret
    label: str = ""
    extra: Mapping[str, str] | None = None


class SameKey(Exception):
    """The provider has this key already; a racing request was quicker."""


def name_of_same_key(provider: Provider, secret: str) -> str:
    """What the same key of this provider is called; "" where it is new."""
    row = ProviderKey.objects.filter(provider=provider, fingerprint=fingerprint(secret)).first()
    if row is not None:
        return f"“{row.label}”"
    from_environment = environment_key(provider)
    if from_environment is not None and from_environment.secret.reveal() == secret:
        return f"{provider.env_var} in the environment"
    return ""


def store_key(new: NewKey, user_id: int | None = None) -> ProviderKey:
    """Raises SameKey."""
    secret = new.secret.reveal()
    row = ProviderKey(
        provider=new.provider,
        label=new.label or _next_label(new.provider),
        secret_encrypted=encrypt(secret),
        tail=new.secret.tail,
        fingerprint=fingerprint(secret),
        extra=dict(new.extra or {}),
        added_by_id=user_id,
    )
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise SameKey from error
    generation.bump()
    return row


def keep_report(row: ProviderKey, report: KeyReport) -> None:
    """Remember what a check found, each request that it made included."""
    row.verdict, row.verdict_detail = report.verdict, report.detail
    row.evidence, row.checked_at = report.lines(), timezone.now()
    # An update, because the key may have been removed while it was checked.
    ProviderKey.objects.filter(pk=row.pk).update(
        verdict=row.verdict,
        verdict_detail=row.verdict_detail,
        evidence=row.evidence,
        checked_at=row.checked_at,
    )
    generation.bump()


def switch_key(row: ProviderKey, *, is_enabled: bool) -> None:
    row.is_enabled = is_enabled
    ProviderKey.objects.filter(pk=row.pk).update(is_enabled=is_enabled)
    generation.bump()


def remove_key(row: ProviderKey) -> None:
    row.delete()
    generation.bump()


def rotate_keys() -> tuple[int, list[ProviderKey]]:
    """Encrypt every key with the first of FIELD_ENCRYPTION_KEYS.

    Answers how many were, and those that none of the present keys opens.
    """
    rotated, lost = 0, []
    for row in ProviderKey.objects.select_related("provider"):
        try:
            closed = rotate(row.secret_encrypted)
        except CannotDecrypt:
            lost.append(row)
            continue
        # Only what was read is replaced: a key removed or renewed meanwhile stays as it is.
        rotated += ProviderKey.objects.filter(
            pk=row.pk, secret_encrypted=row.secret_encrypted
        ).update(secret_encrypted=closed)
    return rotated, lost


def _next_label(provider: Provider) -> str:
    taken = set(provider.keys.values_list("label", flat=True))
    return next(label for n in range(1, len(taken) + 2) if (label := f"Key {n}") not in taken)

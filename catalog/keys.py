"""The keys that calls may use: stored ones, encrypted at rest, and those of the environment."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from django.conf import settings

from catalog.models import KeyVerdict, Provider, ProviderKey
from freellm_site.lib.crypto import CannotDecrypt, decrypt
from gateway.types import Secret

logger = logging.getLogger(__name__)

# A provider that did not answer the check of its key is taken for down until a check succeeds,
# and is checked again after this time.
DOWN_FOR = dt.timedelta(minutes=10)

PLACEHOLDER = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
# Filled from settings, not from a key.
SIMULATOR_PLACEHOLDER = "SIMULATOR_URL"


class KeyOrigin(StrEnum):
    STORED = "stored"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class UsableKey:
    """A key a call may carry. `key_id` is stable and public: "k12" for row 12, "env"."""

    key_id: str
    secret: Secret = field(repr=False)
    extra: Mapping[str, str] = field(repr=False)
    label: str
    origin: KeyOrigin
    verdict: str = KeyVerdict.UNTESTED
    checked_at: dt.datetime | None = None

    @property
    def is_refused(self) -> bool:
        """Its provider said that it is no key of theirs; only another check changes that."""
        return self.verdict == KeyVerdict.WRONG_KEY

    @property
    def is_doubtful(self) -> bool:
        """Its check found the provider down, or that it may not call the models."""
        return self.verdict in {KeyVerdict.NO_PERMISSION, KeyVerdict.PROVIDER_DOWN}


def usable_keys(provider: Provider) -> list[UsableKey]:
    """The keys calls may carry: enabled and not refused, oldest first, then the environment's."""
    return usable_keys_of([provider])[provider.pk]


def usable_keys_of(providers: Collection[Provider]) -> dict[int, list[UsableKey]]:
    """`usable_keys` of many providers in one query, by the provider's id."""
    found = enabled_keys_of(providers)
    return defaultdict(
        list, {pk: [key for key in keys if not key.is_refused] for pk, keys in found.items()}
    )


def enabled_keys_of(providers: Collection[Provider]) -> dict[int, list[UsableKey]]:
    """As `usable_keys_of`, with those that were refused when they were checked."""
    by_provider: dict[int, list[UsableKey]] = defaultdict(list)
    names = {provider.pk: provider for provider in providers}
    rows = ProviderKey.objects.filter(provider__in=names, is_enabled=True).order_by("created_at")
    for row in rows:
        opened = open_key(row, names[row.provider_id])
        if opened is not None:
            by_provider[row.provider_id].append(opened)
    for provider in providers:
        from_environment = environment_key(provider)
        if from_environment is not None:
            by_provider[provider.pk].append(from_environment)
    return by_provider


def open_key(row: ProviderKey, provider: Provider) -> UsableKey | None:
    """Decrypt a stored key; None, and a line in the log, where no key of ours opens it."""
    try:
        secret = Secret(decrypt(row.secret_encrypted))
    except CannotDecrypt:
        _warn_once(row.pk, provider.slug)
        return None
    return UsableKey(
        key_id=f"k{row.pk}",
        secret=secret,
        extra={**environment_extra(provider), **row.extra},
        label=row.label,
        origin=KeyOrigin.STORED,
        verdict=row.verdict,
        checked_at=row.checked_at,
    )


@lru_cache(maxsize=256)
def _warn_once(key_pk: int, slug: str) -> None:
    logger.warning(
        "Key %s of %s cannot be decrypted: the value of FIELD_ENCRYPTION_KEYS it was "
        "encrypted with is gone. Add that value back, or enter the key again.",
        key_pk,
        slug,
    )


def environment_key(provider: Provider) -> UsableKey | None:
    """The key the process was started with, under the provider's usual name."""
    value = settings.PROVIDER_KEYS_FROM_ENV.get(provider.env_var, "") if provider.needs_key else ""
    if not value:
        return None
    return UsableKey(
        key_id="env",
        secret=Secret(value),
        extra=environment_extra(provider),
        label=provider.env_var,
        origin=KeyOrigin.ENVIRONMENT,
    )


def environment_extra(provider: Provider) -> dict[str, str]:
    value = settings.PROVIDER_KEYS_FROM_ENV.get(provider.extra_env, "")
    return {provider.extra_env: value} if value else {}


def extra_fields(provider: Provider) -> list[str]:
    """Names of the values that the provider's addresses need beside the key."""
    names = dict.fromkeys(PLACEHOLDER.findall(provider.base_url + provider.list_url))
    names.pop(SIMULATOR_PLACEHOLDER, None)
    return list(names)


def extra_label(provider: Provider, name: str) -> str:
    """CLOUDFLARE_ACCOUNT_ID at Cloudflare is the "Account id"."""
    own = {*provider.env_var.lower().split("_"), *provider.slug.lower().split("-")}
    words = name.lower().split("_")
    while len(words) > 1 and words[0] in own:
        words.pop(0)
    return " ".join(words).capitalize()


def fill_address(address: str, extra: Mapping[str, str]) -> str:
    """Put the values in the place of their {NAME}; raises KeyError with a name that is missing."""
    known = {**extra, SIMULATOR_PLACEHOLDER: settings.SIMULATOR_URL}
    return PLACEHOLDER.sub(lambda match: known[match[1]], address)

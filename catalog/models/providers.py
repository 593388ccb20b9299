"""Companies' APIs."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from catalog.chosen import Choosable, Limits, with_pinned
from catalog.querysets import ProviderQuerySet


class Tier(models.TextChoices):
    FREE = "free", "Free, recurring"
    TRIAL = "trial", "Trial credit"
    LOCAL = "local", "Own machine"


class Origin(models.TextChoices):
    """Where a provider's entry comes from."""

    MAPPING = "mapping", "Bundled mapping"
    OWN = "own", "Own endpoint"
    SIMULATOR = "simulator", "Simulator"


class QuotaScope(models.TextChoices):
    """What one quota spans; per-model: each model has its own, else all share one pool."""

    PER_MODEL = "per-model", "each model has its own quota"
    SHARED = "shared", "one pool over all models"
    ACCOUNT = "account", "one pool for the account"


class Training(models.TextChoices):
    """Whether prompts to its free models may train models; empty where nothing is known."""

    NEVER = "never", "Prompts stay on this machine"
    OUTSIDE_EUROPE = "outside-europe", "Trains on prompts outside Europe"
    USED = "used", "Trains on prompts"


class Demand(models.TextChoices):
    """What an account must bring beyond an e-mail address."""

    PHONE = "phone", "A phone number"
    IDENTITY = "identity", "A verified real name"
    REGION = "region", "An account of one region"


class Provider(Choosable, models.Model):
    """A company's API. Facts come from `data/providers.toml`; `is_enabled` is the admin's."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    origin = models.CharField(max_length=12, choices=Origin.choices, default=Origin.MAPPING)
    tier = models.CharField(max_length=8, choices=Tier.choices, default=Tier.FREE)
    website = models.URLField(blank=True)
    key_url = models.URLField(blank=True)
    docs_limits_url = models.URLField(blank=True)
    env_var = models.CharField(max_length=80, blank=True)
    extra_env = models.CharField(max_length=80, blank=True)
    base_url = models.CharField(
        max_length=300, help_text="May hold {NAME}, filled from the key's extra fields."
    )
    chat_dialect = models.CharField(max_length=20, default="openai")
    auth = models.CharField(max_length=60, default="bearer")
    list_url = models.CharField(max_length=400, blank=True)
    list_auth_required = models.BooleanField(default=False)
    list_dialect = models.CharField(max_length=40, default="none")
    list_items_path = models.CharField(max_length=40, blank=True)
    id_field = models.CharField(max_length=40, default="id")
    free_filter = models.TextField(blank=True)
    requirements = models.TextField(blank=True)
    training = models.CharField(max_length=16, choices=Training.choices, blank=True)
    demands = models.JSONField(default=list, blank=True)  # of Demand; [] where none is known
    credits = models.TextField(blank=True)
    quota_scope = models.CharField(
        max_length=12, choices=QuotaScope.choices, default=QuotaScope.ACCOUNT
    )
    pool_name = models.CharField(max_length=80, blank=True)  # what a shared pool is called
    limits = models.JSONField(default=dict, blank=True)  # {"rpm": 30, ...}, see gateway.types
    resets = models.JSONField(default=dict, blank=True)  # {"day": "UTC"}: whose midnight ends it
    ratelimit_headers = models.JSONField(default=list, blank=True)
    quirks = models.JSONField(default=list, blank=True)  # tables, see gateway.quirks
    retry_hint = models.TextField(blank=True)
    error_shape = models.TextField(blank=True)
    key_steps = models.JSONField(default=list, blank=True)  # how to get a key, step by step
    list_select = models.JSONField(default=dict, blank=True)  # see catalog.sources.select
    confidence = models.TextField(blank=True)
    notes = models.TextField(blank=True)
    facts_as_of = models.DateField(null=True, blank=True)
    retired_on = models.DateField(null=True, blank=True)
    is_retired = models.BooleanField(default=False)
    allows_private_address = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    refresh_every_s = models.PositiveIntegerField(null=True, blank=True)  # the admin's; or all's
    next_refresh_at = models.DateTimeField(null=True, blank=True)  # null: now
    limit_probe = models.CharField(max_length=20, blank=True)  # see catalog.limit_endpoints
    probes_limits = models.BooleanField(default=False)  # the admin's
    limits_probed_at = models.DateTimeField(null=True, blank=True)
    refreshing = models.ForeignKey(  # which refresh renews the list now, see catalog.leases
        "catalog.Refresh", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = models.Manager.from_queryset(ProviderQuerySet)()

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("catalog:provider-detail", args=[self.slug])

    @property
    def published_limits(self) -> Limits:
        limits: Limits = self.limits
        return limits

    @property
    def effective_limits(self) -> Limits:
        """The limits of every offer that has none of its own."""
        return with_pinned(self.limits, self.chosen.limits)

    @property
    def needs_key(self) -> bool:
        return self.auth != "none"

    def pool_for(self, external_id: str) -> str:
        """The quota an offer draws on within a key: its own id, or "*" for a shared one."""
        return external_id if self.quota_scope == QuotaScope.PER_MODEL else "*"

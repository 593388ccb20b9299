"""Providers, models, offers, keys, and the history of the lists."""

from __future__ import annotations

from catalog.models.choices import Aspect, Choice, ListChoice, SiteChoice
from catalog.models.held import HeldList, HeldState
from catalog.models.history import (
    ACTIVE_STATES,
    Change,
    ChangeKind,
    Refresh,
    RefreshResult,
    RefreshState,
)
from catalog.models.keys import KeyVerdict, ProviderKey
from catalog.models.offers import CHAT_MODALITIES, Modality, Model, Offer, OfferStatus
from catalog.models.providers import Demand, Origin, Provider, QuotaScope, Tier, Training
from catalog.models.tokens import ReadToken

__all__ = [
    "ACTIVE_STATES",
    "CHAT_MODALITIES",
    "Aspect",
    "Change",
    "ChangeKind",
    "Choice",
    "Demand",
    "HeldList",
    "HeldState",
    "KeyVerdict",
    "ListChoice",
    "Modality",
    "Model",
    "Offer",
    "OfferStatus",
    "Origin",
    "Provider",
    "ProviderKey",
    "QuotaScope",
    "ReadToken",
    "Refresh",
    "RefreshResult",
    "RefreshState",
    "SiteChoice",
    "Tier",
    "Training",
]

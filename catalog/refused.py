"""Offers whose id real calls came back from with 404 or 410: marked at once, and asked again.

The provider's list may still name them; what counts is that calls are refused. A marked offer is
neither recommended nor called until a probe is answered, or the list lost it and names it again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, transaction
from django.utils import timezone

from catalog import generation
from catalog.engine import engine
from catalog.keys import usable_keys_of
from catalog.models import Change, ChangeKind, Offer
from catalog.targets import build_targets, doubts
from gateway.client import Gateway
from gateway.errors import GatewayError
from gateway.types import Outcome, Target

GONE_STATUSES = (404, 410)
FIRST_PROBE_AFTER = dt.timedelta(minutes=1)
# Then after as long again as it has been refused for, within these.
PROBE_AFTER_LEAST = dt.timedelta(minutes=10)
PROBE_AFTER_MOST = dt.timedelta(days=1)
PROBES_AT_ONCE = 20

logger = logging.getLogger(__name__)


def hear_attempts(attempts: Iterable[Mapping[str, Any]]) -> None:
    """Mark what was refused as gone; never raises, for the recorder of calls goes on without it."""
    refused = {
        (one["provider"], one["model"]): one["status"]
        for one in attempts
        if one["outcome"] == Outcome.MODEL_GONE and one["status"] in GONE_STATUSES
    }
    for (provider, model), status in refused.items():
        try:
            _mark(provider, model, status)
        except DatabaseError as error:
            logger.warning("%s of %s could not be marked as refused: %s", model, provider, error)


def _mark(provider: str, external_id: str, status: int) -> None:
    unmarked = Offer.objects.filter(
        provider__slug=provider, external_id=external_id, refused_since__isnull=True
    )
    offer = unmarked.select_related("provider", "model").first()
    if offer is None:
        return
    now = timezone.now()
    with transaction.atomic():
        # The row count tells who of several recorders was first.
        mine = Offer.objects.filter(pk=offer.pk, refused_since__isnull=True)
        if mine.update(refused_since=now, probe_at=now + FIRST_PROBE_AFTER) == 1:
            _tell(ChangeKind.MISSING, offer, f"a call to it was answered {status}")


async def probe_refused() -> None:
    """One small call to each that it is time for."""
    targets = await sync_to_async(_claimed)()
    async with engine() as gateway, asyncio.TaskGroup() as group:
        for pk, target in targets:
            group.create_task(_probe(gateway, pk, target))


async def _probe(gateway: Gateway, pk: int, target: Target) -> None:
    try:
        await gateway.probe(target, source="probe")
    except GatewayError as error:
        logger.info("%s is still refused: %s", target.label, error.message)
    else:
        await sync_to_async(_restore)(pk)


def _claimed() -> list[tuple[int, Target]]:
    """What is to be probed now, each by this worker alone; without a key there is nobody to ask."""
    now = timezone.now()
    waiting = Offer.objects.filter(probe_at__lte=now, provider__in=doubts())
    due = list(waiting.select_related("provider", "model").order_by("probe_at")[:PROBES_AT_ONCE])
    keys = usable_keys_of({one.provider_id: one.provider for one in due}.values())
    claimed = []
    for offer in due:
        mine = Offer.objects.filter(pk=offer.pk, probe_at=offer.probe_at)
        targets = build_targets(offer, keys[offer.provider_id])[:1]
        if mine.update(probe_at=_next_probe(offer, now)) == 1 and targets:
            claimed.append((offer.pk, targets[0]))
    return claimed


def _next_probe(offer: Offer, now: dt.datetime) -> dt.datetime:
    age = now - (offer.refused_since or now)
    return now + min(max(age, PROBE_AFTER_LEAST), PROBE_AFTER_MOST)


def _restore(pk: int) -> None:
    with transaction.atomic():
        marked = Offer.objects.filter(pk=pk, refused_since__isnull=False)
        if marked.update(refused_since=None, probe_at=None) == 1:
            offer = Offer.objects.select_related("provider", "model").get(pk=pk)
            _tell(ChangeKind.RETURNED, offer, "it answers calls again")


def _tell(kind: ChangeKind, offer: Offer, detail: str) -> None:
    Change.objects.create(
        kind=kind,
        provider=offer.provider,
        offer=offer,
        external_id=offer.external_id,
        model_name=offer.model.name,
        detail=detail,
    )
    transaction.on_commit(generation.bump)

"""Asking what the limits are: once a day at most, and only where an admin switched it on.

Either an endpoint tells them for nothing, or the headers of the shortest answer do. A model is
asked once a day with the first key; of models that share a quota one is enough.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.utils import timezone

from catalog.engine import engine
from catalog.keys import usable_keys_of
from catalog.limit_endpoints import ANSWER, ENDPOINTS, LimitEndpoint
from catalog.models import CHAT_MODALITIES, Offer, Provider, QuotaScope
from catalog.targets import build_targets, doubts
from gateway.client import Gateway
from gateway.dialects.base import auth_headers
from gateway.errors import GatewayError
from gateway.types import Target

EVERY = dt.timedelta(days=1)
MODELS_AT_ONCE = 20  # of one provider in one run; the others are asked by the next ones
_MAX_BYTES = 1_000_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LimitProbe:
    target: Target
    endpoint: LimitEndpoint | None = None  # None: a call whose headers tell


async def probe_limits() -> None:
    """Ask whom it is time for."""
    probes = await sync_to_async(_claimed)()
    async with engine() as gateway, asyncio.TaskGroup() as group:
        for one in probes:
            group.create_task(_asked(gateway, one))


async def _asked(gateway: Gateway, probe: LimitProbe) -> None:
    try:
        await _ask(gateway, probe)
    except (GatewayError, ValueError) as error:
        logger.info("%s did not tell its limits: %s", probe.target.label, error)


async def _ask(gateway: Gateway, probe: LimitProbe) -> None:
    """The limiter learns from a call's headers by itself; raises GatewayError and ValueError."""
    target, endpoint = probe.target, probe.endpoint
    if endpoint is None:
        await gateway.probe(target, source="limit-probe", max_tokens=1)
        return
    body = await gateway.get(
        target.base_url.rstrip("/") + endpoint.path,
        headers=auth_headers(target),
        max_bytes=_MAX_BYTES,
        allows_private_address=target.allows_private_address,
    )
    await gateway.learn_limits(target, endpoint.read(json.loads(body)))


def _claimed() -> list[LimitProbe]:
    """What is to be asked now, by this worker alone."""
    switched_on = Provider.objects.callable_now().filter(probes_limits=True)
    providers = list(switched_on.filter(pk__in=_certain()).exclude(limit_probe=""))
    return [probe for one in providers for probe in _probes_of(one)]


def _certain() -> list[int]:
    return [pk for pk, doubt in doubts().items() if not doubt]


def _probes_of(provider: Provider) -> list[LimitProbe]:
    now = timezone.now()
    offers = (
        Offer.objects.active()
        .filter(provider=provider, model__modality__in=CHAT_MODALITIES)
        .select_related("provider", "model")
        .order_by("limits_probed_at", "pk")
    )
    is_per_model = provider.limit_probe == ANSWER and provider.quota_scope == QuotaScope.PER_MODEL
    if not is_per_model:
        due = Provider.objects.filter(_is_due(now), pk=provider.pk)
        chosen = offers[:1] if due.update(limits_probed_at=now) == 1 else offers.none()
    else:
        chosen = offers.filter(_is_due(now))[:MODELS_AT_ONCE]
    keys = usable_keys_of([provider])[provider.pk]
    endpoint = ENDPOINTS.get(provider.limit_probe)
    return [
        LimitProbe(target, endpoint)
        for offer in chosen
        if Offer.objects.filter(_is_due(now), pk=offer.pk).update(limits_probed_at=now) == 1
        for target in build_targets(offer, keys)[:1]
    ]


def _is_due(now: dt.datetime) -> Q:
    return Q(limits_probed_at__isnull=True) | Q(limits_probed_at__lte=now - EVERY)

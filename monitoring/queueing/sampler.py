"""Who runs and who waits in every process, for the page of the queue."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.http import QueryDict
from django.template.loader import render_to_string

from catalog.models import Provider
from gateway.client import Gateway
from gateway.dispatch import Queues
from monitoring.owners import owner_names
from monitoring.queueing.picture import PARTS, QueuePicture
from monitoring.sampling import Sample

_NAMES_FOR_S = 60.0  # what somebody is called is asked for again after so long


@dataclass(frozen=True, slots=True)
class QueueSample:
    queues: Queues
    owners: Mapping[str, str]
    providers: Mapping[str, str]


class QueueSampler:
    name = "queue"

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._providers: dict[str, str] = {}
        self._named_at = float("-inf")

    async def sample(self, gateway: Gateway) -> QueueSample:
        queues = await gateway.queues.all()
        owners = {call.owner for one in queues.processes for call in one.calls}
        if time.monotonic() - self._named_at > _NAMES_FOR_S or not owners <= self._owners.keys():
            self._owners, self._providers = await sync_to_async(_names)(owners)
            self._named_at = time.monotonic()
        return QueueSample(queues, self._owners, self._providers)

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        if not samples:
            return {}
        shown = QueuePicture.asked(samples, asked)
        context = {"shown": shown, "may_act": asked.get("act") == "1"}
        return {
            "texts": {"headline": shown.headline},
            "parts": {
                name: render_to_string(template, context) for name, template in PARTS.items()
            },
            "times": shown.times,
            "columns": shown.columns,
            "totals": shown.totals,
        }


QUEUE = QueueSampler()


def _names(owners: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    return owner_names(owners), dict(Provider.objects.values_list("slug", "name"))

"""Renew the catalog from the providers' own lists: all at once, each for itself.

A list that fails, dawdles or makes no sense costs its provider this one renewal and nobody else
anything: what is stored stays as it is, and the result says what happened.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from asgiref.sync import sync_to_async
from django.utils import timezone

from catalog.apply import apply_list, record_failure
from catalog.engine import engine
from catalog.fetch import ASKED_AGAIN, fetch_list
from catalog.leases import claim_lists
from catalog.lists import ListCall, due_calls, list_calls, without_keys
from catalog.models import Refresh
from catalog.sources.listed import BadList
from catalog.warming import warm
from gateway.client import Gateway
from gateway.errors import GatewayError, ProviderError
from gateway.types import Outcome

ALL_WITHIN_S = 240.0
# They wait for the network almost all of their time; bodies are parsed in a few threads.
AT_ONCE = 64
HEARTBEAT_S = 15.0

UNDER_WAY = "Another refresh was renewing this list just then."
NO_TIME = "There was no time left for this list. Refresh this provider alone."
_REMEDIES = {
    Outcome.UNAVAILABLE: f"The fault is there. {ASKED_AGAIN}",
    Outcome.TIMEOUT: f"It may be slow just now. {ASKED_AGAIN}",
    Outcome.THROTTLED: ASKED_AGAIN,
    Outcome.QUOTA_EXHAUSTED: "Its list is answered again when the quota is back.",
    Outcome.AUTH_REJECTED: "Check or renew the provider's key.",
    Outcome.FORBIDDEN: "The key needs the right to read the list of models.",
    Outcome.CIRCUIT_OPEN: ASKED_AGAIN,
    Outcome.RATE_LIMITED: ASKED_AGAIN,
    Outcome.MODEL_GONE: "The list has moved: a newer version of FreeLLM may know its address.",
}
_NOT_REACHED = f"Check that this machine reaches its host. {ASKED_AGAIN}"

logger = logging.getLogger(__name__)


async def refresh(refresh_id: int) -> None:
    """Do a refresh whose row is claimed; its results and progress appear as lists come in."""
    row = await Refresh.objects.select_related("provider").aget(pk=refresh_id)
    calls = await sync_to_async(_claimed_calls)(row)
    async with asyncio.TaskGroup() as group:
        heart = group.create_task(_beat(refresh_id))
        async with engine() as gateway:
            await _renew_all(gateway, row, calls)
            await warm(gateway.cache)
        heart.cancel()


def _claimed_calls(row: Refresh) -> list[ListCall]:
    """The calls that are this refresh's to make; whose list another renews now is told at once."""
    if row.is_scheduled:
        calls = due_calls()
    else:
        calls = list_calls([row.provider] if row.provider else None)
    claimed = claim_lists(row, [call.provider for call in calls])
    ours = [call for call in calls if call.provider.pk in claimed]
    others = [call for call in calls if call.provider.pk not in claimed and not row.is_scheduled]
    total = len(ours) + len(others)
    Refresh.objects.filter(pk=row.pk).update(total=total, done=0)
    for call in others:
        record_failure(row, call.provider, UNDER_WAY, duration_s=0.0)
    return ours


async def _renew_all(gateway: Gateway, row: Refresh, calls: Sequence[ListCall]) -> None:
    places = asyncio.Semaphore(AT_ONCE)
    deadline = asyncio.get_running_loop().time() + ALL_WITHIN_S
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(_renew(gateway, row, call, places, deadline))


async def _renew(
    gateway: Gateway, row: Refresh, call: ListCall, places: asyncio.Semaphore, deadline: float
) -> None:
    """One provider, from its list to its result; whatever goes wrong stays with this provider.

    Writes are queued one after the other.
    """
    started = time.monotonic()
    try:
        async with asyncio.timeout_at(deadline), places:
            started = time.monotonic()
            found = await fetch_list(gateway, call)
        took_s = time.monotonic() - started
        await sync_to_async(apply_list)(row, call.provider, found, took_s)
        await sync_to_async(_raise_done)(row.pk)
    except TimeoutError:
        await _fail(row, call, NO_TIME, started)
    except BadList as error:
        await _fail(row, call, str(error), started)
    except GatewayError as error:
        await _fail(row, call, without_keys(with_remedy(error), call.headers), started)
    except Exception:
        logger.exception("The list of %s broke its renewal", call.provider.slug)
        await _fail(row, call, "A fault of our own; the worker's log says more.", started)


def with_remedy(error: GatewayError) -> str:
    """What went wrong, and what to do about it."""
    was_reached = error.was_reached if isinstance(error, ProviderError) else True
    remedy = _REMEDIES.get(error.outcome, "") if was_reached else _NOT_REACHED
    return f"{error.message} {remedy}".strip()


async def _fail(row: Refresh, call: ListCall, detail: str, started: float) -> None:
    took_s = time.monotonic() - started
    logger.warning("The list of %s was not renewed: %s", call.provider.slug, detail)
    await sync_to_async(record_failure)(row, call.provider, detail, duration_s=took_s)
    await sync_to_async(_raise_done)(row.pk)


def _raise_done(refresh_id: int) -> None:
    results = Refresh.objects.get(pk=refresh_id).results.count()
    Refresh.objects.filter(pk=refresh_id).update(done=results, heartbeat_at=timezone.now())


async def _beat(refresh_id: int) -> None:
    """Say regularly that this refresh is alive; a silent one is taken for dead."""
    while True:
        await Refresh.objects.filter(pk=refresh_id).aupdate(heartbeat_at=timezone.now())
        await asyncio.sleep(HEARTBEAT_S)

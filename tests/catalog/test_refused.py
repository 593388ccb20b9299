"""Offers whose id a call came back from with 404: marked, left out, probed, and back."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import asdict

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone
from redis.asyncio import Redis

from catalog.models import Change, ChangeKind, Offer
from catalog.refused import hear_attempts
from catalog.snapshot import forget, snapshot
from catalog.tasks import probe_refused_offers
from gateway.types import Outcome
from monitoring.recorder import Recorder
from tests.catalog.list_server import ListServer
from tests.catalog.refreshing import changes, refreshed
from tests.catalog.simulators import simulator_in_thread
from tests.factories import (
    make_attempt,
    make_event,
    make_model,
    make_offer,
    make_provider,
    make_scenario,
    make_sim_model,
    make_sim_provider,
)
from tests.monitoring.streams import eventually, send

pytestmark = pytest.mark.django_db(transaction=True)


def refuse(offer: Offer, status: int = 404, outcome: Outcome = Outcome.MODEL_GONE) -> None:
    attempt = make_attempt(
        provider=offer.provider.slug, model=offer.external_id, outcome=outcome, status=status
    )
    hear_attempts([asdict(attempt)])
    offer.refresh_from_db()


def callable_ids() -> set[str]:
    forget()
    return {one.external_id for one in snapshot().candidates}


async def test_a_call_that_is_answered_404_marks_its_offer(
    redis_url: str, redis_client: Redis
) -> None:
    """By way of the engine's event, as soon as the call is recorded."""
    provider = await sync_to_async(make_provider)(slug="wagtail")
    offer = await sync_to_async(make_offer)(provider, external_id="wren-8b")
    gone = make_attempt(provider="wagtail", model="wren-8b", outcome=Outcome.MODEL_GONE, status=404)
    recorder = Recorder(redis_url)
    task = asyncio.create_task(recorder.run())
    await send(redis_client, make_event(provider="sparrow", attempts=(gone, make_attempt())))
    await eventually(Offer.objects.filter(pk=offer.pk, refused_since__isnull=False).aexists)
    recorder.stop()
    await task
    await recorder.aclose()


@pytest.mark.parametrize(
    ("status", "outcome", "is_marked"),
    [
        (404, Outcome.MODEL_GONE, True),
        (410, Outcome.MODEL_GONE, True),
        (400, Outcome.MODEL_GONE, False),
        (404, Outcome.UNAVAILABLE, False),
        (503, Outcome.UNAVAILABLE, False),
    ],
)
def test_only_not_found_marks(status: int, outcome: Outcome, *, is_marked: bool) -> None:
    """A 400 that a host words as an unknown model may be the request's fault."""
    offer = make_offer()
    refuse(offer, status, outcome)
    assert (offer.refused_since is not None) is is_marked


def test_a_marked_offer_is_neither_recommended_nor_called(viewer_client: Client) -> None:
    """Its pages say since when, and the history tells of it once."""
    offer = make_offer(make_provider(), make_model("Wren 8B"))
    assert callable_ids() == {offer.external_id}

    refuse(offer)
    refuse(offer)

    assert callable_ids() == set()
    page = viewer_client.get(offer.model.get_absolute_url()).content.decode()
    assert "Not found</span>" in page
    assert f"since {timezone.localtime(offer.refused_since):%-d %b}" in page
    change = Change.objects.get()
    assert (change.kind, change.detail) == (ChangeKind.MISSING, "a call to it was answered 404")


def test_an_answered_probe_brings_it_back() -> None:
    """One small call, when its time has come; the history tells of that, too."""
    scenario = make_scenario(make_sim_provider(models=(make_sim_model(id="wren-8b"),)))
    with simulator_in_thread(scenario) as url:
        provider = make_provider(base_url=f"{url}/sim-wren/v1", allows_private_address=True)
        back = make_offer(provider, external_id="wren-8b")
        gone = make_offer(provider, external_id="heron-70b")
        for offer in (back, gone):
            refuse(offer)
        probe_refused_offers()
        assert callable_ids() == set()

        Offer.objects.update(probe_at=timezone.now())
        probe_refused_offers()

    assert callable_ids() == {"wren-8b"}
    assert changes(provider)[2:] == [(ChangeKind.RETURNED, "wren-8b")]
    gone.refresh_from_db()
    assert gone.refused_since is not None
    assert gone.probe_at is not None
    assert gone.probe_at > timezone.now() + dt.timedelta(minutes=9)


def test_without_a_key_nobody_is_asked() -> None:
    """The mark stays until somebody can be."""
    offer = make_offer(make_provider(auth="bearer"))
    refuse(offer)
    Offer.objects.update(probe_at=timezone.now())
    probe_refused_offers()
    offer.refresh_from_db()
    assert offer.refused_since is not None


def test_a_list_that_names_it_does_not_clear_the_mark_but_one_that_names_it_again_does() -> None:
    """Lists name dead models for weeks; one that dropped it and brings it back means it."""
    server = ListServer()
    server.start()
    try:
        provider = make_provider(list_url=server.lists("/v1/models", "a-1b", "b-2b", "c-3b"))
        refreshed()
        offer = provider.offers.get(external_id="c-3b")
        refuse(offer)
        refreshed()
        assert "c-3b" not in callable_ids()
        server.lists("/v1/models", "a-1b", "b-2b")
        refreshed()
        server.lists("/v1/models", "a-1b", "b-2b", "c-3b")
        refreshed()
    finally:
        server.stop()
    assert "c-3b" in callable_ids()

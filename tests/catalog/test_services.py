"""Asking for refreshes, claiming them, and what becomes of the ones that die."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from catalog.leases import claim_lists, interval
from catalog.models import (
    Change,
    Offer,
    OfferStatus,
    Origin,
    Provider,
    Refresh,
    RefreshState,
    SiteChoice,
)
from catalog.services import (
    SILENT_AFTER,
    claim,
    fail_silent,
    finish,
    queue_due,
    queue_refresh,
    request_refresh,
)
from catalog.sync import sync_catalog
from catalog.tasks import refresh_all, refresh_one, run
from gateway.simulator.scenario import default_scenario
from tests.catalog.list_server import ListServer
from tests.catalog.simulators import simulator_in_thread
from tests.factories import make_offer, make_provider, make_user
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


def test_a_refresh_is_queued_with_who_asked() -> None:
    """The worker finds the row and the message; nothing is fetched here."""
    user = make_user(role="operator")

    row = request_refresh(user=user)

    assert (row.state, row.requested_by_id) == (RefreshState.QUEUED, user.pk)


def test_asking_twice_gives_the_one_under_way() -> None:
    """Queued or running: the second person watches the first one's refresh."""
    first = queue_refresh()
    assert queue_refresh() == first
    claim(first.pk)
    assert queue_refresh() == first
    finish(first.pk, RefreshState.DONE, "")
    assert queue_refresh() != first


def test_scopes_do_not_stand_in_each_others_way() -> None:
    """One provider's refresh and everybody's are two."""
    provider = make_provider()

    assert queue_refresh(provider) == queue_refresh(provider)
    assert queue_refresh(provider) != queue_refresh()


def test_the_database_refuses_a_second_active_refresh() -> None:
    """Whatever a process believes."""
    queue_refresh()
    with pytest.raises(IntegrityError), transaction.atomic():
        Refresh.objects.create()
    Refresh.objects.create(state=RefreshState.DONE)


def test_only_one_worker_claims_a_refresh() -> None:
    """A message delivered twice is done once."""
    row = queue_refresh()

    assert [claim(row.pk), claim(row.pk)] == [True, False]


def test_a_task_delivered_again_does_nothing(server: ListServer) -> None:
    """Idempotent: the list is not fetched a second time."""
    make_provider(list_url=server.lists("/v1/models", "a-1b"))
    row = queue_refresh()

    refresh_all(row.pk)
    refresh_all(row.pk)
    refresh_one(row.pk)

    assert len(server.requests) == 1


def test_beat_starts_a_refresh_of_its_own(server: ListServer) -> None:
    """Without an id the task makes its row."""
    make_provider(list_url=server.lists("/v1/models", "a-1b"))

    refresh_all()

    assert Refresh.objects.get().state == RefreshState.DONE


def test_beat_does_not_start_a_second_one(server: ListServer) -> None:
    """While one is under way, and while no list is due."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"))
    running = Refresh.objects.create(is_scheduled=True)
    claim(running.pk)
    refresh_all()
    assert Refresh.objects.get().state == RefreshState.RUNNING

    running.delete()
    refresh_all()
    refresh_all()
    assert Refresh.objects.count() == 1
    provider.refresh_from_db()
    assert provider.next_refresh_at is not None
    ahead_s = (provider.next_refresh_at - timezone.now()).total_seconds()
    assert 0.88 < ahead_s / interval(provider).total_seconds() < 1.11


def test_a_list_has_an_interval_of_its_own(server: ListServer) -> None:
    """Who is due is asked, the others are left in peace."""
    often = make_provider(list_url=server.lists("/often", "a-1b"), refresh_every_s=300)
    make_provider(list_url=server.lists("/rarely", "b-1b"))
    refresh_all()
    often.refresh_from_db()
    assert often.next_refresh_at is not None
    assert often.next_refresh_at < timezone.now() + dt.timedelta(seconds=331)

    _let_pass(often)
    refresh_all()

    assert [path for path, _ in server.requests][2:] == ["/often"]
    assert Refresh.objects.latest("pk").scope == "the lists that were due"


def test_a_list_that_another_refresh_renews_is_left_to_it(server: ListServer) -> None:
    """Never two at once for one provider, whoever asks; the other's end gives it free."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"))
    other = queue_refresh(provider)
    claim(other.pk)
    assert claim_lists(other, [provider]) == {provider.pk}

    row = queue_refresh()
    run(row.pk)

    assert server.requests == []
    assert "Another refresh was renewing this list" in row.results.get().detail
    refresh_all()
    assert server.requests == []
    finish(other.pk, RefreshState.FAILED, "killed")
    refresh_all()
    assert len(server.requests) == 1


def test_a_scheduled_refresh_whose_worker_died_at_once_blocks_nobody(server: ListServer) -> None:
    """It was made and never begun."""
    make_provider(list_url=server.lists("/v1/models", "a-1b"))
    long_ago = timezone.now() - SILENT_AFTER - dt.timedelta(seconds=1)
    Refresh.objects.create(is_scheduled=True, created_at=long_ago)
    refresh_all()
    assert len(server.requests) == 1


def test_who_comes_too_late_leaves_no_trace(server: ListServer) -> None:
    """Another worker renewed the lists between the look and the claim."""
    make_provider(list_url=server.lists("/v1/models", "a-1b"))
    late = queue_due()
    assert late is not None
    Provider.objects.update(next_refresh_at=timezone.now() + dt.timedelta(hours=1))
    run(late.pk)
    assert not Refresh.objects.exists()
    assert server.requests == []


def _let_pass(provider: Provider) -> None:
    """Its interval."""
    Provider.objects.filter(pk=provider.pk).update(next_refresh_at=timezone.now())


def test_a_refresh_whose_worker_was_killed_blocks_nobody(server: ListServer) -> None:
    """Its heart stopped: it is set aside as failed, and the next one runs."""
    make_provider(list_url=server.lists("/v1/models", "a-1b"))
    dead = queue_refresh()
    claim(dead.pk)
    Refresh.objects.filter(pk=dead.pk).update(heartbeat_at=timezone.now() - dt.timedelta(minutes=5))

    refresh_all()

    dead.refresh_from_db()
    assert dead.state == RefreshState.FAILED
    assert "worker" in dead.detail
    assert Refresh.objects.latest("pk").state == RefreshState.DONE


def test_a_refresh_that_is_alive_is_not_set_aside() -> None:
    """However long it takes."""
    row = queue_refresh()
    claim(row.pk)
    Refresh.objects.filter(pk=row.pk).update(started_at=timezone.now() - dt.timedelta(hours=1))

    assert fail_silent() == 0


def test_who_was_set_aside_cannot_end_as_done() -> None:
    """A worker that was only asleep does not overwrite the verdict."""
    row = queue_refresh()
    claim(row.pk)
    Refresh.objects.filter(pk=row.pk).update(state=RefreshState.FAILED, detail="set aside")

    finish(row.pk, RefreshState.DONE, "done after all")

    row.refresh_from_db()
    assert (row.state, row.detail) == (RefreshState.FAILED, "set aside")


def test_old_refreshes_are_forgotten_and_their_changes_are_not(server: ListServer) -> None:
    """Results are of use for weeks, the history of the lists for ever."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"))
    refresh_all()
    Refresh.objects.update(created_at=timezone.now() - dt.timedelta(days=100))
    Provider.objects.update(next_refresh_at=None)

    refresh_all()

    assert Refresh.objects.count() == 1
    assert provider.results.count() == 1
    assert Change.objects.get().external_id == "a-1b"


def test_a_fault_of_our_own_costs_only_its_provider(
    server: ListServer, caplog: pytest.LogCaptureFixture
) -> None:
    """No half of a list stays, the others are renewed, and the log says what happened."""
    broken = make_provider(
        list_url=server.lists("/bad/models", "a-1b", "b-2b"), list_select={"keep_ids": 7}
    )
    kept = make_offer(broken, external_id="old-1b")
    good = make_provider(list_url=server.lists("/good/models", "c-3b"))
    row = queue_refresh()

    run(row.pk)

    row.refresh_from_db()
    kept.refresh_from_db()
    assert row.state == RefreshState.DONE
    assert "fault of our own" in row.results.get(provider=broken).detail
    assert (kept.status, broken.offers.count()) == (OfferStatus.ACTIVE, 1)
    assert good.offers.get().external_id == "c-3b"
    assert "broke its renewal" in caplog.text


def test_a_refresh_that_breaks_off_ends_as_failed(
    server: ListServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever stops it, its row does not stay running, and the catalog is whole."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"))
    settings.REDIS_URL = "nonsense://"
    row = queue_refresh()

    run(row.pk)

    row.refresh_from_db()
    assert row.state == RefreshState.FAILED
    assert row.finished_at
    assert not provider.offers.exists()
    assert "broke off" in caplog.text


def test_progress_can_be_watched(server: ListServer) -> None:
    """`done` of `total`, while a slow list is still awaited."""
    make_provider(list_url=server.lists("/fast/models", "a-1b"))
    make_provider(list_url=server.lists("/v1/slow", "b-2b"))
    row = queue_refresh()
    worker = threading.Thread(target=_run_in_thread, args=[row.pk])
    worker.start()
    try:
        progress = _wait_for_progress(row)
    finally:
        server.release.set()
        worker.join(timeout=30)

    assert progress == (1, 2)
    row.refresh_from_db()
    assert (row.state, row.done, row.total) == (RefreshState.DONE, 2, 2)


def _run_in_thread(refresh_id: int) -> None:
    try:
        run(refresh_id)
    finally:
        connections.close_all()


def _wait_for_progress(row: Refresh) -> tuple[int, int]:
    pause = threading.Event()
    deadline = time.monotonic() + 60
    while not row.done and time.monotonic() < deadline:
        pause.wait(0.05)
        row.refresh_from_db()
    return row.done, row.total


def test_a_queue_that_is_away_is_a_sentence_on_the_row(redis_server: RedisServer) -> None:
    """The person who pressed the button reads what to look after, and may try again.

    Were the task sent with retries, this would never end.
    """
    redis_server.kill()
    row = request_refresh()

    row.refresh_from_db()
    assert row.state == RefreshState.FAILED
    assert "queue does not answer" in row.detail
    assert queue_refresh().state == RefreshState.QUEUED


def test_the_simulator_is_refreshed_like_anyone(settings: Any) -> None:
    """With no key at all the button works, and finds just what was announced."""
    scenario = default_scenario()
    with simulator_in_thread(scenario) as url:
        settings.SIMULATOR_URL = url
        sync_catalog()
        Provider.objects.exclude(origin=Origin.SIMULATOR).update(is_enabled=False)
        refresh_all()

    row = Refresh.objects.get()
    count = len(scenario.providers)
    assert row.detail == f"{count} of {count} lists renewed: no changes."
    assert not Offer.objects.filter(provider__origin=Origin.SIMULATOR, is_listed=False).exists()


def test_a_simulator_that_is_switched_off_is_not_asked() -> None:
    """The admin's choice holds for refreshes as well."""
    make_provider(origin=Origin.SIMULATOR)
    choice = SiteChoice.current()
    choice.simulator = "off"
    choice.save()

    refresh_all()

    assert not Refresh.objects.exists()

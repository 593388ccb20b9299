"""Lists that shrank suspiciously, and what people decide about them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from catalog.models import Change, ChangeKind, HeldList, HeldState, OfferStatus, Provider
from tests.catalog.list_server import ListServer
from tests.catalog.refreshing import changes, refreshed
from tests.factories import make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shrunken(server: ListServer) -> Provider:
    """A provider whose list has lost three of its five models."""
    provider = make_provider(name="Wren Cloud", list_url=server.lists("/v1/models", *"abcde"))
    refreshed()
    server.lists("/v1/models", "a", "b", "new-1b")
    refreshed()
    return provider


def active(provider: Provider) -> str:
    ids = provider.offers.filter(status=OfferStatus.ACTIVE).values_list("external_id", flat=True)
    return " ".join(sorted(ids))


def decide(client: Client, held: HeldList, what: str) -> str:
    address = f"/catalog/held-lists/{held.pk}/{what}/"
    return client.post(address, follow=True).content.decode()


def test_a_list_that_lost_more_than_half_is_held(shrunken: Provider) -> None:
    """Nothing of it is applied, not even what is new; the result says so."""
    assert active(shrunken) == "a b c d e"
    held = HeldList.objects.get()
    assert (held.lost, held.before, held.state) == (3, 5, HeldState.WAITING)
    result = shrunken.results.latest_first()[0]
    assert (result.is_ok, result.held, result.listed) == (False, held, 3)
    assert "lacks 3 of 5 models" in result.detail


def test_the_same_list_again_is_the_same_question(shrunken: Provider) -> None:
    """However often it is read, and in whatever order."""
    refreshed()
    assert HeldList.objects.count() == 1
    assert active(shrunken) == "a b c d e"


def test_an_empty_list_is_held(server: ListServer) -> None:
    """It may be meant, but an admin has to say so."""
    provider = make_provider(list_url=server.lists("/v1/models", "a", "b"))
    refreshed()
    server.lists("/v1/models")
    row = refreshed()
    assert "was empty, where 2 of 2 models stood before" in row.results.get().detail
    assert active(provider) == "a b"


def test_an_admin_applies_it(
    server: ListServer, shrunken: Provider, admin_client: Client, django_user_model: type
) -> None:
    """As it was read then; what it lacks is missing, and gone with the next list."""
    page = admin_client.get(shrunken.get_absolute_url()).content.decode()
    assert "A list waits for a decision" in page
    assert "Missing if it is applied" in page

    told = decide(admin_client, HeldList.objects.get(), "apply")

    held = HeldList.objects.get()
    assert "is applied" in told
    assert "A list waits for a decision" not in told
    assert held.state == HeldState.APPLIED
    assert held.decided_by is not None
    assert held.decided_at is not None
    assert f"Applied by {held.decided_by.get_username()}" in told
    assert active(shrunken) == "a b new-1b"
    assert set(changes(shrunken)[5:]) == {
        (ChangeKind.ADDED, "new-1b"),
        *((ChangeKind.MISSING, one) for one in "cde"),
    }
    refreshed()
    assert shrunken.offers.filter(status=OfferStatus.RETIRED).count() == 3


def test_an_admin_dismisses_it(
    server: ListServer, shrunken: Provider, admin_client: Client
) -> None:
    """Then the same list is not asked about again, but another one is."""
    held = HeldList.objects.get()
    decide(admin_client, held, "dismiss")
    row = refreshed()
    assert active(shrunken) == "a b c d e"
    assert HeldList.objects.count() == 1
    assert "It was dismissed by" in row.results.get().detail
    server.lists("/v1/models", "a")
    refreshed()
    assert HeldList.objects.filter(state=HeldState.WAITING).count() == 1
    assert HeldList.objects.count() == 2


def test_a_whole_list_overtakes_it(
    server: ListServer, shrunken: Provider, admin_client: Client
) -> None:
    """The fault is over: nothing is left to decide, and a late decision changes nothing."""
    server.lists("/v1/models", *"abcde")
    refreshed()
    held = HeldList.objects.get()
    assert held.state == HeldState.OVERTAKEN
    assert "decided already" in decide(admin_client, held, "apply")
    assert active(shrunken) == "a b c d e"
    assert not Change.objects.exclude(kind=ChangeKind.ADDED).exists()


def test_deciding_is_an_admins(shrunken: Provider, operator_client: Client) -> None:
    """Others see the question, without its buttons."""
    held = HeldList.objects.get()
    page = operator_client.get(shrunken.get_absolute_url()).content.decode()
    assert "A list waits for a decision" in page
    assert "Apply the list" not in page
    for what in ("apply", "dismiss"):
        address = f"/catalog/held-lists/{held.pk}/{what}/"
        assert operator_client.post(address).status_code == 403
    assert HeldList.objects.get().state == HeldState.WAITING

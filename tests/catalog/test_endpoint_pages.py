"""Own endpoints: added, tested, changed and removed in the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from catalog.endpoints import Endpoint, EndpointGone, save_endpoint
from catalog.models import Offer, OfferStatus, Provider, ProviderKey
from catalog.targets import targets_for
from tests.catalog.key_server import GOOD_KEY, KeyServer

pytestmark = pytest.mark.django_db

ADD = "/catalog/providers/own/add/"


@pytest.fixture
def server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


def typed(server: KeyServer, **fields: Any) -> dict[str, Any]:
    return {
        "name": "My vLLM",
        "base_url": server.base_url,
        "allows_private_address": "on",
        **fields,
    }


def test_an_endpoint_is_added_with_what_it_lists(admin_client: Client, server: KeyServer) -> None:
    """Its models are named by their ids and can be called at once."""
    response = admin_client.post(ADD, typed(server))
    provider = Provider.objects.get()
    assert response["Location"] == "/catalog/providers/my-vllm/"
    assert set(provider.offers.values_list("external_id", flat=True)) == {"wren-8b", "heron-70b"}
    offer = Offer.objects.get(external_id="heron-70b")
    assert offer.model.params_b == 70
    (target,) = async_to_sync(targets_for)([offer.pk])
    assert target.base_url == server.base_url
    assert target.key is None


def test_typed_ids_hold(admin_client: Client, server: KeyServer) -> None:
    """Only those are offered, also from a server without a list."""
    server.models = (404, {})
    admin_client.post(ADD, typed(server, model_ids="wren-8b\n\n  ibis:1b \nwren-8b"))
    assert set(Offer.objects.values_list("external_id", flat=True)) == {"wren-8b", "ibis:1b"}
    assert Provider.objects.get().list_dialect == "none"


def test_a_key_goes_along_and_is_encrypted(admin_client: Client, server: KeyServer) -> None:
    """It is sent to the server and stored as any other key."""
    admin_client.post(ADD, typed(server, secret=GOOD_KEY))
    assert server.asked == [("/v1/models", f"Bearer {GOOD_KEY}")]
    assert Provider.objects.get().auth == "bearer"
    assert GOOD_KEY not in ProviderKey.objects.get().secret_encrypted


def test_a_test_keeps_nothing(admin_client: Client, server: KeyServer) -> None:
    """It shows what answered; what was typed stays, but for the key."""
    page = admin_client.post(ADD, typed(server, secret=GOOD_KEY, test="1")).content.decode()
    assert "2 models are listed" in page
    assert 'value="My vLLM"' in page
    assert GOOD_KEY not in page
    assert not Provider.objects.exists()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://169.254.169.254/v1", "link-local or cloud metadata"),
        ("http://2852039166/v1", "link-local or cloud metadata"),
        ("http://metadata.google.internal/", "metadata service"),
        ("ftp://example.com", "http://"),
        ("http://me:secret@example.com/v1", "user and password"),
        ("http://no-such-host.invalid/v1", "no host named"),
        ("x" * 400, "at most 300"),
        ("http://a\x00b/", "Null characters"),
        ("", "required"),
    ],
)
def test_a_bad_address_is_answered_at_its_field(
    admin_client: Client, server: KeyServer, url: str, words: str
) -> None:
    """The error names the remedy, and nothing is asked or kept."""
    response = admin_client.post(ADD, typed(server, base_url=url))
    assert response.status_code == 422
    assert words in response.content.decode()
    assert server.asked == []
    assert not Provider.objects.exists()


def test_private_addresses_need_the_tick(admin_client: Client, server: KeyServer) -> None:
    """The sentence names the box."""
    fields = typed(server)
    del fields["allows_private_address"]
    response = admin_client.post(ADD, fields)
    assert response.status_code == 422
    assert "Tick “Allow private addresses”" in response.content.decode()
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"<html>hello</html>"), "not JSON"),
        ((200, {"data": []}), "no model"),
        ((500, {}), "Check the address"),
        ((302, b""), "Check the address"),
    ],
)
def test_a_server_that_answers_nonsense_is_not_kept(
    admin_client: Client, server: KeyServer, answer: tuple[int, Any], words: str
) -> None:
    """The page says what came back."""
    server.models = answer
    response = admin_client.post(ADD, typed(server))
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not Provider.objects.exists()


def test_an_endpoint_is_changed_and_keeps_its_key(admin_client: Client, server: KeyServer) -> None:
    """Offers that are gone retire; the stored key is used for asking."""
    admin_client.post(ADD, typed(server, secret=GOOD_KEY))
    server.models = (200, {"data": [{"id": "wren-8b"}]})
    edit = "/catalog/providers/own/my-vllm/edit/"
    assert 'value="My vLLM"' in admin_client.get(edit).content.decode()
    admin_client.post(edit, typed(server, name="Renamed"))
    provider = Provider.objects.get()
    assert (provider.slug, provider.name, provider.auth) == ("my-vllm", "Renamed", "bearer")
    assert Offer.objects.get(external_id="heron-70b").status == OfferStatus.RETIRED
    assert server.asked[-1] == ("/v1/models", f"Bearer {GOOD_KEY}")


def test_a_stored_key_never_follows_to_another_host(
    admin_client: Client, server: KeyServer
) -> None:
    """Who changes the address has to enter the key again."""
    admin_client.post(ADD, typed(server, secret=GOOD_KEY))
    other = KeyServer()
    try:
        admin_client.post(
            "/catalog/providers/own/my-vllm/edit/", typed(server, base_url=other.base_url)
        )
    finally:
        other.stop()
    assert [sent for _, sent in other.asked] == [""]
    assert not ProviderKey.objects.exists()


def test_removing_says_what_goes_with_it(admin_client: Client, server: KeyServer) -> None:
    """It asks first, and the models others serve stay."""
    admin_client.post(ADD, typed(server, secret=GOOD_KEY))
    url = "/catalog/providers/own/my-vllm/remove/"
    assert "2 offers and 1 key go with it" in admin_client.get(url).content.decode()
    admin_client.post(url)
    assert not Provider.objects.exists()


def test_two_of_one_name_get_addresses_of_their_own(
    admin_client: Client, server: KeyServer
) -> None:
    """A name of ours never shadows a page of ours."""
    for name in ("Own", "Own", "☃"):
        admin_client.post(ADD, typed(server, name=name))
    slugs = set(Provider.objects.values_list("slug", flat=True))
    assert slugs == {"own-2", "own-3", "endpoint"}


def test_only_admins(viewer_client: Client, operator_client: Client, server: KeyServer) -> None:
    """Neither form nor post."""
    for client in (viewer_client, operator_client):
        assert client.get(ADD).status_code == 403
        assert client.post(ADD, typed(server)).status_code == 403
    assert not Provider.objects.exists()


def test_a_list_of_thousands_is_chosen_from(admin_client: Client, server: KeyServer) -> None:
    """A gateway's whole list would drown the catalog: the admin names what is wanted."""
    server.models = (200, {"data": [{"id": f"wren-{number}b"} for number in range(1, 600)]})
    response = admin_client.post(ADD, typed(server))
    assert response.status_code == 422
    assert "lists 599 models; at most 500 fit" in response.text
    admin_client.post(ADD, typed(server, model_ids="wren-7b"))
    assert Offer.objects.get().external_id == "wren-7b"


def test_a_refused_key_is_not_repeated(admin_client: Client, server: KeyServer) -> None:
    """Neither on the page that says what the server answered."""
    page = admin_client.post(ADD, typed(server, secret="made_up_wrong_key_17")).content.decode()
    assert "Invalid key Bearer …" in page
    assert "made_up_wrong_key_17" not in page


def test_a_change_takes_back_no_other_admins_switch(
    admin_client: Client, server: KeyServer
) -> None:
    """While the server was asked, another admin may have switched the endpoint off."""
    admin_client.post(ADD, typed(server))
    as_it_was = Provider.objects.get()
    admin_client.post("/catalog/providers/my-vllm/switch/", {"is_enabled": "0"})
    save_endpoint(Endpoint("Renamed", server.base_url), [], as_it_was)
    assert (Provider.objects.get().name, Provider.objects.get().is_enabled) == ("Renamed", False)


def test_a_change_brings_no_removed_endpoint_back(admin_client: Client, server: KeyServer) -> None:
    """Another admin may have removed it meanwhile."""
    admin_client.post(ADD, typed(server))
    as_it_was = Provider.objects.get()
    admin_client.post("/catalog/providers/own/my-vllm/remove/")
    with pytest.raises(EndpointGone):
        save_endpoint(Endpoint("My vLLM", server.base_url), [], as_it_was)
    assert not Provider.objects.exists()

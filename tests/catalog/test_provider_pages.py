"""The list of providers, one provider's page, and the switches on them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import OfferStatus, Origin, Provider, SiteChoice
from tests.factories import make_key, make_offer, make_provider

pytestmark = pytest.mark.django_db


def test_the_list_says_who_can_be_called(viewer_client: Client) -> None:
    """State, terms, keys and offers; who can be called stands first."""
    keyed = make_provider(name="A keyed one", auth="bearer")
    make_provider(name="Z free one")
    make_provider(name="Gone", is_retired=True, retired_on=dt.date(2026, 7, 30))
    make_offer(keyed)
    page = viewer_client.get("/catalog/providers/").content.decode()
    assert page.index("Z free one") < page.index("A keyed one") < page.index("Gone")
    assert "retired 30 Jul 2026" in page
    assert "1 can be called now" in page


def test_who_retired_on_a_day_nobody_wrote_down(viewer_client: Client) -> None:
    """Before the facts were read, and never called."""
    gone = make_provider(name="Gone", is_retired=True, facts_as_of=dt.date(2026, 11, 22))
    for address in ("/catalog/providers/", gone.get_absolute_url()):
        assert "retired before 22 Nov 2026" in viewer_client.get(address).content.decode()


def test_the_list_is_searchable(viewer_client: Client) -> None:
    """By name, slug, tier and origin; nothing found says so."""
    make_provider(name="Wren Cloud", slug="wren", tier="trial")
    make_provider(name="Heron", slug="heron")
    page = viewer_client.get("/catalog/providers/?q=WREN+trial").content.decode()
    assert "Wren Cloud" in page
    assert "Heron" not in page
    assert (
        "No provider is called that"
        in viewer_client.get("/catalog/providers/?q=%25<b>").content.decode()
    )
    assert viewer_client.get("/catalog/providers/?page=9").status_code == 404


def test_many_providers_cost_no_more_queries(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Keys and offers are counted for all of them at once."""
    for _ in range(40):
        make_offer(make_provider(auth="bearer"))
    with django_assert_max_num_queries(20):
        admin_client.get("/catalog/providers/")


def test_a_provider_tells_how_to_get_a_key_and_what_holds(admin_client: Client) -> None:
    """Steps, terms, quota, notes, sources and offers with their limits."""
    provider = make_provider(
        slug="wren",
        auth="bearer",
        env_var="WREN_API_KEY",
        key_url="https://wren.test/keys",
        key_steps=["Sign in at wren.test.", "Paste it here."],
        notes="Counts neurons.",
        confidence="secondary",
        limits={"rpm": 30, "tpd": 500_000},
    )
    make_offer(provider, external_id="wren-8b")
    make_offer(provider, external_id="wren-1b", status=OfferStatus.RETIRED)
    page = admin_client.get("/catalog/providers/wren/").content.decode()
    for words in ("Sign in at wren.test.", "WREN_API_KEY", "https://wren.test/keys", "secondary"):
        assert words in page
    assert "Counts neurons." in page
    assert "500k" in page
    assert "<summary>1 retired" in page
    assert page.index(">wren-8b<") < page.index("<summary>1 retired") < page.index(">wren-1b<")


def test_a_retired_provider_is_shown_as_such(admin_client: Client) -> None:
    """With its date, without a key form, never to be refreshed."""
    make_provider(slug="gone", auth="bearer", is_retired=True, retired_on=dt.date(2026, 7, 30))
    page = admin_client.get("/catalog/providers/gone/").content.decode()
    assert "retired 30 Jul 2026" in page
    assert "Check and keep" not in page
    assert "Refresh list" not in page


def test_an_admin_switches_a_provider(admin_client: Client, operator_client: Client) -> None:
    """Off is off everywhere; others may not."""
    provider = make_provider(slug="wren")
    url = "/catalog/providers/wren/switch/"
    assert operator_client.post(url, {"is_enabled": "0"}).status_code == 403
    assert admin_client.get(url).status_code == 405
    page = admin_client.post(url, {"is_enabled": "0"}, follow=True).content.decode()
    provider.refresh_from_db()
    assert not provider.is_enabled
    assert "Switched off" in page


def test_an_admin_switches_the_simulator(admin_client: Client, operator_client: Client) -> None:
    """An unknown value changes nothing and says so."""
    url = "/catalog/providers/simulator/switch/"
    make_provider(slug="sim-wren", origin=Origin.SIMULATOR)
    assert operator_client.post(url, {"simulator": "off"}).status_code == 403
    response = admin_client.post(url, {"simulator": "off", "provider": "sim-wren"})
    assert response["Location"] == "/catalog/providers/sim-wren/"
    assert SiteChoice.current().simulator == "off"
    admin_client.post(url, {"simulator": "sometimes\x00"})
    assert SiteChoice.current().simulator == "off"
    assert "never" in admin_client.get("/catalog/providers/").content.decode().lower()


def test_what_is_not_there_is_a_404(admin_client: Client) -> None:
    """Also for keys and for the edit page of a provider that is no endpoint."""
    make_provider(slug="wren")
    for url in ("nobody/", "own/wren/edit/", "own/nobody/remove/", "keys/9/remove/"):
        assert admin_client.get(f"/catalog/providers/{url}").status_code == 404
    assert admin_client.post("/catalog/providers/nobody/keys/add/").status_code == 404


@pytest.mark.parametrize("asked", ["x", "-1", "9" * 40, "²", "0", ""])
def test_a_foreign_or_absurd_key_number_shows_nothing(admin_client: Client, asked: str) -> None:
    """The evidence of another provider's key is not shown here."""
    make_provider(slug="wren", auth="bearer")
    other = make_key(make_provider(auth="bearer"))
    for number in (asked, str(other.pk)):
        response = admin_client.get("/catalog/providers/wren/", {"checked": number})
        assert response.status_code == 200
        assert b"team key" not in response.content


def test_a_viewer_sees_no_switch(viewer_client: Client) -> None:
    """Hidden in the pages, too."""
    provider: Provider = make_provider(slug="wren", auth="bearer")
    make_key(provider)
    page = viewer_client.get("/catalog/providers/wren/").content.decode()
    for words in ("Switch off", "Check and keep", "Refresh list", "9zQx"):
        assert words not in page
    assert "1 enabled" in page
    assert "Add endpoint" not in viewer_client.get("/catalog/providers/").content.decode()


def test_an_admin_sets_how_often_a_list_is_asked_for(
    admin_client: Client, operator_client: Client
) -> None:
    """Empty is as for every list; what is out of bounds is said and stays in the field."""
    provider = make_provider(slug="wren")
    address = "/catalog/providers/wren/refresh-interval/"
    page = admin_client.post(address, {"minutes": "90"}, follow=True).content.decode()
    assert "about every 1\xa0h 30\xa0min" in page
    assert 'value="90"' in page

    refused = admin_client.post(address, {"minutes": "2"})
    assert refused.status_code == 422
    assert "At least 5 minutes" in refused.content.decode()
    assert 'value="2"' in refused.content.decode()
    assert operator_client.post(address, {"minutes": "90"}).status_code == 403

    admin_client.post(address, {"minutes": ""})
    provider.refresh_from_db()
    assert provider.refresh_every_s is None

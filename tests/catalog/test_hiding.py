"""Hiding an offer and showing it again."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from catalog.models import Offer
from catalog.targets import targets_for
from tests.factories import make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer() -> Offer:
    return make_offer(make_provider(name="Sparrow"), make_model("Wren 8B"), external_id="wren-8b")


def test_a_hidden_offer_is_neither_called_nor_shown(
    admin_client: Client, viewer_client: Client, offer: Offer
) -> None:
    """Admins see it as hidden, with the way back; others do not see it at all."""
    admin_client.post(f"/catalog/offers/{offer.pk}/hide/")
    assert async_to_sync(targets_for)([offer.pk]) == []
    for url in (offer.model.get_absolute_url(), offer.provider.get_absolute_url()):
        seen_by_admin = admin_client.get(url).content.decode()
        assert ">Hidden</span>" in seen_by_admin
        assert 'aria-label="Show wren-8b of Sparrow"' in seen_by_admin
        assert ">wren-8b<" not in viewer_client.get(url).content.decode()
    assert "data-row-link" not in viewer_client.get("/catalog/").content.decode()


def test_the_toast_takes_it_back(admin_client: Client, offer: Offer) -> None:
    """The answer comes back to the page the button stands on, and offers to undo."""
    page = offer.model.get_absolute_url()
    answer = admin_client.post(f"/catalog/offers/{offer.pk}/hide/", {"next": page}, follow=True)
    assert answer.redirect_chain == [(page, 302)]
    told = answer.content.decode()
    toast = told[told.index('class="toast success"') :]
    assert "Wren 8B on Sparrow is hidden and no longer called." in toast
    assert f'action="/catalog/offers/{offer.pk}/show/"' in toast
    again = admin_client.post(f"/catalog/offers/{offer.pk}/show/", {"next": page}, follow=True)
    assert "Wren 8B on Sparrow is shown again." in again.content.decode()
    assert not Offer.objects.get().is_hidden


def test_only_admins_hide(operator_client: Client, admin_client: Client, offer: Offer) -> None:
    """Refused to others, who see no button; by POST only; what is not there is a 404."""
    assert operator_client.post(f"/catalog/offers/{offer.pk}/hide/").status_code == 403
    assert admin_client.get(f"/catalog/offers/{offer.pk}/hide/").status_code == 405
    assert admin_client.post("/catalog/offers/987654/hide/").status_code == 404
    page = operator_client.get(offer.model.get_absolute_url()).content.decode()
    assert "/hide/" not in page


@pytest.mark.parametrize("asked", ["https://evil.test/", "//evil.test/", "javascript:alert(1)", ""])
def test_nobody_is_led_away(admin_client: Client, offer: Offer, asked: str) -> None:
    """What is no page of ours leads to the provider."""
    answer = admin_client.post(f"/catalog/offers/{offer.pk}/hide/", {"next": asked})
    assert answer["Location"] == offer.provider.get_absolute_url()


def test_many_are_hidden_and_shown_at_once(
    admin_client: Client, operator_client: Client, offer: Offer
) -> None:
    """Those that are ticked on the provider's page; what is no offer is left out."""
    others = [make_offer(offer.provider, offer.model) for _ in range(3)]
    ticked = {"offer": [one.pk for one in others] + ["x", "987654321987", "²"]}
    url, page = "/catalog/offers/switch/", offer.provider.get_absolute_url()
    assert operator_client.post(url, ticked).status_code == 403
    told = admin_client.post(url, {**ticked, "hidden": "1", "next": page}, follow=True)
    assert "3 offers hidden" in told.text
    assert list(Offer.objects.shown()) == [offer]
    told = admin_client.post(url, {**ticked, "hidden": "0", "next": page}, follow=True)
    assert "3 offers shown again" in told.text
    assert Offer.objects.shown().count() == 4
    assert "Tick the offers first" in admin_client.post(url, {"hidden": "1"}, follow=True).text


def test_a_long_list_of_offers_has_pages(admin_client: Client, offer: Offer) -> None:
    """A hundred on each; one beyond the last says so."""
    for _ in range(104):
        make_offer(offer.provider, offer.model)
    page = offer.provider.get_absolute_url()
    assert "1 to 100 of 105" in admin_client.get(page).text
    assert "101 to 105 of 105" in admin_client.get(f"{page}?page=2").text
    beyond = admin_client.get(f"{page}?page=3")
    assert beyond.status_code == 404
    assert "There is no page 3" in beyond.text

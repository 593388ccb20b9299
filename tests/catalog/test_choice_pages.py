"""The page of an offer's, a model's or a provider's choices: made, read, taken back."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from catalog.models import Choice, Offer
from tests.factories import make_choice, make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer() -> Offer:
    provider = make_provider(name="Sparrow", limits={"rpm": 30, "rpd": 1000})
    return make_offer(provider, make_model("Wren 8B"), external_id="wren-8b")


def _choose(client: Client, kind: str, pk: int, **typed: str) -> str:
    answer = client.post(f"/catalog/choices/{kind}/{pk}/choose/", typed, follow=True)
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_an_offers_choices_are_made_and_taken_back(
    admin_client: Client, viewer_client: Client, offer: Offer
) -> None:
    """Everybody reads what holds, what would hold without it, who chose it, and the history."""
    words = _choose(
        admin_client, "offer", offer.pk, limit_rpm="5", limit_rpd="none", note="Slow at night."
    )
    assert "2 choices changed for Wren 8B on Sparrow." in words
    page = viewer_client.get(f"/catalog/choices/offer/{offer.pk}/").content.decode()
    assert "5 rpm · no rpd" in page
    assert "Without it: 30 rpm · 1k rpd" in page
    assert "Slow at night." in page
    assert "/choose/" not in page
    assert Offer.objects.get().effective_limits == {"rpm": 5}
    limits = Choice.objects.get(aspect="limits")
    admin_client.post(f"/catalog/choices/{limits.pk}/take-back/")
    assert Offer.objects.get().effective_limits == {"rpm": 30, "rpd": 1000}
    page = admin_client.get(f"/catalog/choices/offer/{offer.pk}/").content.decode()
    assert "Ended by" in page
    assert "Before: 30 rpm · 1k rpd" in page
    again = admin_client.post(f"/catalog/choices/{limits.pk}/take-back/", follow=True)
    assert "taken back or replaced already" in again.content.decode()


def test_a_renamed_model_is_called_so_everywhere(
    admin_client: Client, viewer_client: Client, offer: Offer
) -> None:
    """In the list, on its page, on its provider's page; marked as set here."""
    _choose(admin_client, "model", offer.model.pk, name="House  Wren", pinned="on")
    for url in ("/catalog/", offer.model.get_absolute_url(), offer.provider.get_absolute_url()):
        page = viewer_client.get(url).content.decode()
        assert "House Wren" in page, url
        assert "Wren 8B" not in page, url
    assert "set here" in viewer_client.get("/catalog/").content.decode()
    _choose(admin_client, "model", offer.model.pk)
    assert "Wren 8B" in viewer_client.get("/catalog/").content.decode()


def test_what_is_not_free_is_said_to_be_so(
    admin_client: Client, viewer_client: Client, offer: Offer
) -> None:
    """It stays listed, cannot be called, and says why."""
    _choose(admin_client, "offer", offer.pk, free="no")
    assert "Not free" in viewer_client.get(offer.model.get_absolute_url()).content.decode()
    assert "Wren 8B" in viewer_client.get("/catalog/").content.decode()


def test_a_note_on_a_provider_is_read_on_its_page(
    admin_client: Client, viewer_client: Client, offer: Offer
) -> None:
    """And limits set for it hold for its offers."""
    _choose(admin_client, "provider", offer.provider.pk, note="Ask Jon.", limit_rpd="50k")
    assert "Ask Jon." in viewer_client.get(offer.provider.get_absolute_url()).content.decode()
    assert Offer.objects.get().effective_limits["rpd"] == 50_000


@pytest.mark.parametrize("typed", ["-1", "0", "many", "1.5", "9" * 18, "²", "nan"])
def test_a_limit_that_is_none_is_refused_by_its_field(
    admin_client: Client, offer: Offer, typed: str
) -> None:
    """Nothing is kept, nothing typed is lost."""
    answer = admin_client.post(
        f"/catalog/choices/offer/{offer.pk}/choose/", {"limit_tpm": typed, "note": "Mine"}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Enter a whole number from 1 on" in page
    assert f'value="{typed}"' in page
    assert "Mine" in page
    assert not Choice.objects.exists()


def test_what_is_hidden_is_hidden_here_too(viewer_client: Client, offer: Offer) -> None:
    """Its choices' page is for admins then; what does not exist is a 404."""
    make_choice(offer, "hidden")
    assert viewer_client.get(f"/catalog/choices/offer/{offer.pk}/").status_code == 404
    for url in ("offer/987654/", "nothing/1/", "model/987654/"):
        assert viewer_client.get(f"/catalog/choices/{url}").status_code == 404


def test_saving_what_holds_changes_nothing(admin_client: Client, offer: Offer) -> None:
    """It says so, and writes no history."""
    words = _choose(admin_client, "offer", offer.pk)
    assert "Nothing was changed" in words
    assert not Choice.objects.exists()

"""The offers for programs: paged, filtered as the page, with an ETag, by session or token."""

from __future__ import annotations

import pytest
from django.test import Client

from catalog.models import ReadToken
from catalog.records import FIELDS
from tests.factories import make_choice, make_model, make_offer, make_provider, make_user

pytestmark = pytest.mark.django_db

URL = "/catalog/api/offers/"


@pytest.fixture(autouse=True)
def _catalog(db: None) -> None:
    groq = make_provider(slug="groq", name="Groq")
    for number in range(5):
        make_offer(groq, make_model(f"Wren {number + 1}B"))
    make_offer(make_provider(slug="zai"), make_model("Heron 70B"))


def test_strangers_are_told_what_to_send(client: Client) -> None:
    """In JSON, with the scheme."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        answer = client.get(URL, headers=headers)
        assert answer.status_code == 401
        assert "Authorization: Bearer" in answer.json()["error"]
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_pages_hold_every_offer_once(viewer_client: Client) -> None:
    """Each leads to the next; the fields are the promised ones."""
    seen, url = [], f"{URL}?per_page=4"
    while url:
        answer = viewer_client.get(url).json()
        assert (answer["count"], answer["pages"]) == (6, 2)
        seen += [one["offer"] for one in answer["results"]]
        assert tuple(answer["results"][0]) == FIELDS
        url = answer["next"]
    assert len(seen) == len(set(seen)) == 6
    assert answer["previous"] == f"{URL}?per_page=4&page=1"


def test_filters_are_the_pages(client: Client) -> None:
    """A token reads the same."""
    headers = {"Authorization": f"Bearer {ReadToken.objects.issue(make_user().pk, 'script')}"}
    answer = client.get(f"{URL}?provider=zai", headers=headers).json()
    assert [one["model_name"] for one in answer["results"]] == ["Heron 70B"]


def test_what_did_not_change_is_not_sent_again(viewer_client: Client) -> None:
    """A change anywhere on the page changes the tag."""
    answer = viewer_client.get(URL)
    again = viewer_client.get(URL, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    make_choice(make_offer(model=make_model("Ibis 1B")), "note", "New.")
    assert viewer_client.get(URL, headers={"If-None-Match": answer["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("provider=nobody", 400, "nobody"),
        ("per_page=501", 400, "per_page"),
        ("per_page=x", 400, "per_page"),
        ("page=x", 400, "page"),
        ("page=99", 404, "page"),
    ],
)
def test_what_is_wrong_is_named(viewer_client: Client, query: str, status: int, word: str) -> None:
    """By its parameter."""
    answer = viewer_client.get(f"{URL}?{query}")
    assert answer.status_code == status
    assert word in answer.json()["error"]

"""The history of the lists: as a page by day and provider, and as a feed for each filter."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from catalog.models import Change, ChangeKind, Offer, Provider, ReadToken
from catalog.sync import sync_catalog
from tests.factories import make_model, make_offer, make_provider, make_user

pytestmark = pytest.mark.django_db

ATOM = "{http://www.w3.org/2005/Atom}"


def make_change(offer: Offer, kind: str = "added", **fields: object) -> Change:
    change: Change = Change.objects.create(
        offer=offer,
        kind=kind,
        provider=offer.provider,
        external_id=offer.external_id,
        model_name=offer.model.name,
        **fields,
    )
    return change


@pytest.fixture
def _changes(db: None) -> None:
    groq, zai = make_provider(slug="groq", name="Groq"), make_provider(slug="zai", name="Zai")
    wren, heron = make_model("Wren 8B"), make_model("Heron 70B", family="heron")
    yesterday = timezone.now() - dt.timedelta(days=1)
    make_change(make_offer(groq, wren), "added", at=yesterday)
    make_change(make_offer(zai, heron, external_id="h1"), "limits", detail="30 rpm, was 20 rpm")
    make_change(make_offer(groq, heron, external_id="h2"), "gone")


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.mark.usefixtures("_changes")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"Wren 8B", "Heron 70B"}),
        ("?provider=zai", {"Heron 70B"}),
        ("?kind=added", {"Wren 8B"}),
        ("?family=heron&kind=gone", {"Heron 70B"}),
        ("?q=wren+groq", {"Wren 8B"}),
        ("?q=30+rpm", {"Heron 70B"}),
        ("?q=%25", set()),
    ],
)
def test_page_and_feed_tell_what_the_filter_asks(
    viewer_client: Client, query: str, found: set[str]
) -> None:
    """The same filters at both addresses."""
    page = _text(viewer_client.get(f"/catalog/changes/{query}").content.decode())
    assert {name for name in ("Wren 8B", "Heron 70B") if name in page} == found
    feed = ET.fromstring(viewer_client.get(f"/catalog/changes.atom{query}").content)  # noqa: S314 - ours
    titles = [one.findtext(f"{ATOM}title", "") for one in feed.findall(f"{ATOM}entry")]
    assert {name for name in ("Wren 8B", "Heron 70B") for one in titles if name in one} == found


@pytest.mark.usefixtures("_changes")
def test_changes_stand_by_day_and_provider(viewer_client: Client) -> None:
    """Today's first; in a day the providers by name."""
    page = viewer_client.get("/catalog/changes/").content.decode()
    days = re.findall(r"<h3>(.*?)</h3>", page)
    assert len(days) == 2
    today, yesterday = page.split("<h3>")[1:]
    assert re.findall(r"<b>(\w+)</b>", today) == ["Groq", "Zai"]
    assert re.findall(r"<b>(\w+)</b>", yesterday) == ["Groq"]
    assert "30 rpm, was 20 rpm" in today


def test_what_is_not_understood_is_said(viewer_client: Client) -> None:
    """And nothing found says what to do."""
    make_change(make_offer())
    page = viewer_client.get("/catalog/changes/?kind=never&family=none").content.decode()
    assert "“never” is not a kind of this list" in page
    assert "“none” is not a family of this list" in page
    assert "No such change" in viewer_client.get("/catalog/changes/?q=zzz").content.decode()
    assert viewer_client.get("/catalog/changes/?page=9").status_code == 404


def test_many_changes_cost_no_more_queries(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """However long the history is."""
    offer = make_offer()
    for _ in range(120):
        make_change(offer)
    with django_assert_max_num_queries(12):
        assert "120 changes" in viewer_client.get("/catalog/changes/").content.decode()


def test_a_feed_reader_needs_a_token(client: Client, viewer_client: Client) -> None:
    """It is made on the page, shown once, holds the filters, and can be revoked."""
    make_change(make_offer(make_provider(slug="groq", name="Groq")))
    assert client.get("/catalog/changes.atom").status_code == 401
    made = viewer_client.post("/catalog/tokens/add/", {"label": "Phone", "provider": "groq"})
    address = re.search(r"<code>http://[^/]+(/catalog/changes\.atom\?[^<]+)</code>", made.text)
    assert address is not None
    url = address[1].replace("&amp;", "&")
    assert "provider=groq" in url
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/atom+xml")
    assert "changes, Groq" in answer.content.decode()
    assert url.split("token=")[1].split("&")[0] not in viewer_client.get("/catalog/tokens/").text
    token = ReadToken.objects.get()
    assert token.used_at is not None
    viewer_client.post(f"/catalog/tokens/{token.pk}/revoke/")
    assert client.get(url).status_code == 401


def test_a_token_reads_nothing_else(client: Client) -> None:
    """No page, and nothing once its user is deactivated; nobody revokes another's."""
    user = make_user()
    token = ReadToken.objects.issue(user.pk, "script")
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/catalog/changes.atom", headers=headers).status_code == 200
    assert client.get("/catalog/api/offers/", headers=headers).status_code == 200
    assert client.get("/catalog/", headers=headers).status_code == 302
    assert client.get(f"/catalog/api/offers/?token={token}").status_code == 401
    other = Client()
    other.force_login(make_user())
    assert other.post(f"/catalog/tokens/{ReadToken.objects.get().pk}/revoke/").status_code == 404
    user.is_active = False
    user.save()
    assert client.get("/catalog/changes.atom", headers=headers).status_code == 401


@pytest.mark.parametrize("label", ["", "  ", "x" * 81, "a\x00b"])
def test_a_token_needs_a_name(viewer_client: Client, label: str) -> None:
    """So that one knows later which to revoke."""
    answer = viewer_client.post("/catalog/tokens/add/", {"label": label})
    assert answer.status_code == 422
    assert "Name who reads with it" in answer.text
    assert not ReadToken.objects.exists()


def test_new_limits_and_names_of_the_mapping_are_noted() -> None:
    """Once, with what was before; a second start notes nothing."""
    sync_catalog()
    assert not Change.objects.exists()
    Provider.objects.filter(slug="groq").update(limits={"rpm": 7})
    offer = Offer.objects.filter(provider__slug="groq").select_related("model").first()
    assert offer is not None
    published, name = offer.limits, offer.model.name
    Offer.objects.filter(pk=offer.pk).update(limits={"rpm": 1}, model=make_model("Old name"))
    sync_catalog()
    kinds = set(Change.objects.values_list("kind", flat=True))
    assert kinds == {ChangeKind.LIMITS, ChangeKind.RENAMED}
    renamed = Change.objects.get(kind=ChangeKind.RENAMED)
    assert (renamed.model_name, renamed.detail) == (name, "was Old name")
    limits = Change.objects.get(kind=ChangeKind.LIMITS, offer=offer)
    assert limits.detail.endswith("was 1 rpm")
    assert Offer.objects.get(pk=offer.pk).limits == published
    count = Change.objects.count()
    sync_catalog()
    assert Change.objects.count() == count

"""One model's page."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog import measured
from catalog.models import Change, ChangeKind, Origin
from gateway.types import Outcome
from tests.factories import make_call, make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


def words_of(page: str) -> str:
    """The page as a person reads it, spaces as plain ones."""
    text = re.sub(r"<[^>]+>", " ", page)
    return " ".join(text.replace("\u202f", " ").replace("\xa0", " ").split())


def test_limits_in_units_of_their_own_are_shown(viewer_client: Client) -> None:
    """Neurons, and what counts by the hour or month, in a column that is there where needed."""
    wren = make_model("Wren 8B Instruct")
    plain = make_offer(make_provider(limits={"rpm": 30}), wren)
    assert b"Other limits" not in viewer_client.get(wren.get_absolute_url()).content
    assert b"Other limits" not in viewer_client.get(plain.provider.get_absolute_url()).content
    odd = make_offer(make_provider(limits={"neurons_day": 10_000, "rpmonth": 1_000}), wren)
    for url in (wren.get_absolute_url(), odd.provider.get_absolute_url()):
        page = viewer_client.get(url).content.decode()
        assert "Other limits" in page
        assert "1k requests a month · 10k neurons a day" in page


def test_offers_that_can_be_called_come_first(viewer_client: Client) -> None:
    """With published limits, ids to copy and the provider's own call."""
    model = make_model("Wren 8B Instruct", specialties=["code"])
    keyed = make_provider(name="A keyed one", auth="bearer", env_var="WREN_API_KEY")
    free = make_provider(name="Z free one", limits={"rpm": 30, "tpd": 200_000})
    make_offer(keyed, model, external_id="keyed/wren")
    make_offer(free, model, external_id="free/wren", context_tokens=131_072)
    page = viewer_client.get(model.get_absolute_url()).content.decode()
    assert page.index("Z free one") < page.index("A keyed one")
    assert 'data-copy="free/wren"' in page
    assert "200k" in page
    assert "No key" in page
    assert f'"model": "{"free/wren"}"' in page.replace("&quot;", '"')


def test_what_was_measured_stands_beside_each_offer(viewer_client: Client) -> None:
    """Medians of recorded calls at that offer; the others have none, and no figure is made up."""
    model = make_model("Wren 8B Instruct")
    called = make_offer(make_provider(), model, context_tokens=131_072)
    make_offer(make_provider(auth="bearer"), model, context_tokens=32_768)
    page = viewer_client.get(model.get_absolute_url()).content.decode()
    assert "no calls in 7 days" in page
    where = {"provider": called.provider.slug, "model": called.external_id}
    make_call(**where, first_token_s=0.2)
    make_call(**where, outcome=Outcome.TIMEOUT)
    measured.forget()
    page = words_of(viewer_client.get(model.get_absolute_url()).content.decode())
    assert "Best first token 0.2" in page
    assert "Answered, best offer 50 % 2 calls, 7 days" in page
    assert "33k of 131k" in page or "32.8k of 131k" in page


def test_history_shows_what_refreshes_found(viewer_client: Client) -> None:
    """A change stays with its time and its detail."""
    offer = make_offer()
    Change.objects.create(
        kind=ChangeKind.CHANGED,
        provider=offer.provider,
        offer=offer,
        external_id=offer.external_id,
        model_name=offer.model.name,
        detail="context 256k, was 131k",
    )
    page = viewer_client.get(offer.model.get_absolute_url()).content.decode()
    assert "context 256k, was 131k" in page


def test_a_bookmark_of_a_removed_model_names_similar_ones(viewer_client: Client) -> None:
    """A 404 that says so and offers a search."""
    make_offer(model=make_model("Wren 8B Instruct"))
    response = viewer_client.get("/catalog/models/wren-8b-instruct-old/")
    page = response.content.decode()
    assert response.status_code == 404
    assert "not in the catalog" in page
    assert "Wren 8B Instruct" in page
    assert 'name="q" value="wren 8b"' in page


def test_many_offers_cost_no_more_queries(
    viewer_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """One query for all offers, whoever serves them."""
    model = make_model()
    for _ in range(30):
        make_offer(make_provider(), model)
    with django_assert_max_num_queries(20):
        viewer_client.get(model.get_absolute_url())


def test_a_simulated_model_has_no_call_to_copy(viewer_client: Client) -> None:
    """There is no provider to call without us."""
    provider = make_provider(origin=Origin.SIMULATOR, base_url="{SIMULATOR_URL}/wren/v1")
    offer = make_offer(provider)
    page = viewer_client.get(offer.model.get_absolute_url()).content.decode()
    assert "Call it" not in page
    assert "SIMULATOR_URL" not in page


def test_an_account_id_in_the_address_comes_from_the_environment(viewer_client: Client) -> None:
    """The copied call runs as it stands: no braces of ours are left in its address."""
    address = "https://api.example/accounts/{WREN_ACCOUNT_ID}/v1"
    offer = make_offer(make_provider(auth="bearer", env_var="WREN_API_KEY", base_url=address))
    page = html.unescape(viewer_client.get(offer.model.get_absolute_url()).content.decode())
    assert "f\"https://api.example/accounts/{os.environ['WREN_ACCOUNT_ID']}/v1\"" in page
    assert "https://api.example/accounts/$WREN_ACCOUNT_ID/v1/chat/completions" in page

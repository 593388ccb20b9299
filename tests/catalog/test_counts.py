"""How many models and offers there are: the same everywhere."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.test import Client

from catalog.models import OfferStatus
from freellm_site.shell import COUNTS_KEY
from tests.factories import make_choice, make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


def test_overview_rail_and_catalog_agree(viewer_client: Client) -> None:
    """Missing and switched-off offers are listed; retired and hidden ones are not."""
    wren, heron, ibis = make_model("Wren 8B"), make_model("Heron 70B"), make_model("Ibis 1B")
    make_offer(model=wren)
    make_offer(make_provider(is_enabled=False), wren)
    make_offer(model=heron, status=OfferStatus.MISSING)
    make_offer(model=heron, status=OfferStatus.RETIRED)
    make_choice(make_offer(model=ibis), "hidden")
    make_offer(make_provider(is_retired=True), ibis)
    cache.delete(COUNTS_KEY)
    catalog = viewer_client.get("/catalog/").content.decode()
    assert "2 models, 3 offers" in catalog
    rail = re.search(r'href="/catalog/".*?class="n">(\d+)', catalog, re.DOTALL)
    assert rail is not None
    assert rail.group(1) == "2"
    overview = " ".join(re.sub(r"<[^>]+>", " ", viewer_client.get("/").content.decode()).split())
    assert "2 models" in overview
    assert "3 offers" in overview


def test_rail_and_list_of_providers_agree(viewer_client: Client) -> None:
    """Retired ones are listed, counted apart, and said to be so."""
    make_provider()
    make_provider(is_enabled=False)
    make_provider(is_retired=True)
    cache.delete(COUNTS_KEY)
    page = viewer_client.get("/catalog/providers/").content.decode()
    rail = re.search(r'href="/catalog/providers/".*?class="n">(\d+)', page, re.DOTALL)
    assert rail is not None
    assert rail.group(1) == "2"
    assert "<h2>2 providers</h2>" in page
    assert "1 can be called now; 1 more retired, at the end" in page

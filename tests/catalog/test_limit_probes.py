"""Asking providers for their limits: once a day, and only where it is switched on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalog.limit_endpoints import ENDPOINTS
from catalog.live import live_of
from catalog.models import Offer, Provider, QuotaScope
from catalog.tasks import probe_limits_daily
from gateway.limiter.quota import Learned
from gateway.types import parse_limits
from tests.catalog.list_server import ListServer
from tests.catalog.simulators import simulator_in_thread
from tests.factories import (
    make_key,
    make_offer,
    make_provider,
    make_scenario,
    make_sim_model,
    make_sim_provider,
)

pytestmark = pytest.mark.django_db(transaction=True)

HEADERS = [
    {"header": "x-ratelimit-limit-requests", "meaning": "limit requests/day", "format": "integer"},
]


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


def said(offer: Offer, name: str) -> Learned | None:
    """What a header, or the like, has named for this offer's limit."""
    live = live_of({offer.pk: (offer.provider.slug, offer.external_id)})[offer.pk]
    return next((one.said for one in live.level.limits if one.limit.name == name), None)


@pytest.mark.parametrize(
    ("answer", "amounts"),
    [
        ({"data": {"is_free_tier": True, "usage": 0}}, {"rpd": 50}),
        ({"data": {"is_free_tier": False}}, {"rpd": 1000}),
        ({"data": {}}, {}),
        ({"data": {"is_free_tier": "no"}}, {}),
        ({"error": "?"}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_what_an_endpoint_says(answer: Any, amounts: dict[str, int]) -> None:
    """Credits bought once raise the day; nonsense says nothing."""
    assert ENDPOINTS["openrouter-key"].read(answer) == amounts


def test_an_endpoint_tells_a_pools_limit_once_a_day(server: ListServer) -> None:
    """With the key, and without a call of any model."""
    server.answers_json("/v1/key", {"data": {"is_free_tier": False}})
    provider = make_provider(
        base_url=f"{server.url}/v1",
        auth="bearer",
        allows_private_address=True,
        limit_probe="openrouter-key",
        probes_limits=True,
        quota_scope=QuotaScope.SHARED,
        limits={"rpm": 20, "rpd": 50},
    )
    make_key(provider, "sk_made_up_for_tests_9zQx")
    offers = [make_offer(provider), make_offer(provider)]

    probe_limits_daily()
    probe_limits_daily()

    assert [path for path, _ in server.requests] == ["/v1/key"]
    assert server.requests[0][1]["authorization"] == "Bearer sk_made_up_for_tests_9zQx"
    for offer in offers:
        learned = said(offer, "rpd")
        assert learned is not None
        assert learned.amount == 1000
    _let_a_day_pass()
    probe_limits_daily()
    assert len(server.requests) == 2


def test_headers_of_a_short_answer_tell_each_models_limit() -> None:
    """One request per model and day; the answer may have one token."""
    models = tuple(make_sim_model(id=one) for one in ("wren-8b", "kite-3b"))
    simulated = make_sim_provider(
        models=models, limits=parse_limits({"rpd": 77, "tpm": 9000}), style="groq"
    )
    with simulator_in_thread(make_scenario(simulated)) as url:
        provider = make_provider(
            base_url=f"{url}/sim-wren/v1",
            allows_private_address=True,
            limit_probe="answer",
            probes_limits=True,
            quota_scope=QuotaScope.PER_MODEL,
            limits={"rpd": 1000},
            ratelimit_headers=HEADERS,
        )
        offers = [make_offer(provider, external_id=one.id) for one in models]
        probe_limits_daily()
        probe_limits_daily()
        left = [live_of({one.pk: (provider.slug, one.external_id)})[one.pk] for one in offers]
    assert [said(one, "rpd").amount for one in offers if said(one, "rpd")] == [77, 77]  # type: ignore[union-attr]
    assert [one.level.limits[0].left for one in left] == [76, 76]


def test_nobody_is_asked_unless_it_is_switched_on(server: ListServer) -> None:
    """Nor where no way is known, nor without a key."""
    server.answers_json("/v1/key", {"data": {"is_free_tier": True}})
    address = {"base_url": f"{server.url}/v1", "allows_private_address": True}
    make_offer(make_provider(limit_probe="openrouter-key", **address))
    make_offer(make_provider(probes_limits=True, **address))
    make_offer(
        make_provider(limit_probe="openrouter-key", probes_limits=True, auth="bearer", **address)
    )
    probe_limits_daily()
    assert server.requests == []


def test_an_admin_switches_it_on(admin_client: Client, operator_client: Client) -> None:
    """On the provider's page, which says what it costs."""
    provider = make_provider(slug="wren", limit_probe="answer", quota_scope="per-model")
    page = admin_client.get(provider.get_absolute_url()).content.decode()
    assert "by a call of one token to each model" in page
    address = "/catalog/providers/wren/limit-probe/"
    assert operator_client.post(address, {"probes_limits": "1"}).status_code == 403
    page = admin_client.post(address, {"probes_limits": "1"}, follow=True).content.decode()
    assert "Stop asking" in page
    provider.refresh_from_db()
    assert provider.probes_limits
    make_provider(slug="heron")
    assert admin_client.post("/catalog/providers/heron/limit-probe/").status_code == 404


def _let_a_day_pass() -> None:
    long_ago = timezone.now() - dt.timedelta(days=1, seconds=1)
    Provider.objects.update(limits_probed_at=long_ago)
    Offer.objects.update(limits_probed_at=long_ago)

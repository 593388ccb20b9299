"""Refreshes against lists on real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from catalog import fetch, generation
from catalog.models import (
    Change,
    ChangeKind,
    Offer,
    OfferStatus,
    Origin,
    Provider,
    RefreshState,
)
from catalog.trust import MOST_KEPT
from gateway.client import Gateway
from tests.catalog.list_server import ListServer
from tests.catalog.refreshing import changes, refreshed
from tests.factories import make_choice, make_model, make_offer, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[ListServer]:
    server = ListServer()
    server.start()
    yield server
    server.stop()


def status(provider: Provider, external_id: str) -> str:
    return provider.offers.get(external_id=external_id).status


def test_a_new_model_becomes_an_offer_named_by_its_id(server: ListServer) -> None:
    """An id never seen before gets name, family and size by parsing, and a change tells of it."""
    provider = make_provider(list_url=server.lists("/v1/models", "acme/osprey-14b-a3b-instruct"))

    row = refreshed()

    offer = Offer.objects.get(external_id="acme/osprey-14b-a3b-instruct")
    assert (offer.model.name, offer.model.family) == ("Osprey 14B A3B Instruct", "osprey")
    assert (offer.model.params_b, offer.model.active_params_b) == (14.0, 3.0)
    assert offer.is_listed
    assert changes(provider) == [(ChangeKind.ADDED, "acme/osprey-14b-a3b-instruct")]
    assert (row.state, row.done, row.total) == (RefreshState.DONE, 1, 1)
    assert row.results.get().added == 1


def test_a_listed_id_joins_the_model_of_the_mapping(server: ListServer) -> None:
    """The facts of the mapping serve an id that the mapping has not seen at this provider."""
    provider = make_provider(
        list_url=server.lists("/v1/models", "meta/Llama-4-Scout-17B-16E-Instruct")
    )

    refreshed()

    model = provider.offers.get().model
    assert (model.slug, model.params_b, model.active_params_b) == ("llama-4-scout", 109.0, 17.0)


def test_two_absences_make_an_offer_vanish_and_it_returns(server: ListServer) -> None:
    """First missing, then gone, and back with its history when it is listed again."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b", "b-2b", "c-3b"))
    refreshed()
    server.lists("/v1/models", "a-1b", "b-2b")
    refreshed()
    assert status(provider, "c-3b") == OfferStatus.MISSING
    refreshed()
    assert status(provider, "c-3b") == OfferStatus.RETIRED
    refreshed()
    server.lists("/v1/models", "a-1b", "b-2b", "c-3b")
    refreshed()

    assert status(provider, "c-3b") == OfferStatus.ACTIVE
    assert provider.offers.get(external_id="c-3b").retired_on is None
    assert changes(provider)[3:] == [
        (ChangeKind.MISSING, "c-3b"),
        (ChangeKind.GONE, "c-3b"),
        (ChangeKind.RETURNED, "c-3b"),
    ]


def test_a_second_refresh_that_finds_nothing_tells_of_nothing(server: ListServer) -> None:
    """An unchanged list leaves no change behind."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b", context_length=8192))
    refreshed()
    row = refreshed()

    assert changes(provider) == [(ChangeKind.ADDED, "a-1b")]
    assert row.detail == "1 of 1 lists renewed: no changes."


def test_a_longer_context_is_taken_over_and_told(server: ListServer) -> None:
    """What the list says otherwise than before becomes a change with both figures."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b", context_length=8192))
    refreshed()
    server.lists("/v1/models", "a-1b", context_length=32_768)
    refreshed()

    assert provider.offers.get().context_tokens == 32_768
    change = Change.objects.get(kind=ChangeKind.CHANGED)
    assert change.detail == "context 32,768, was 8,192"


def test_an_offer_of_the_mapping_keeps_its_row_under_the_listed_spelling(
    server: ListServer,
) -> None:
    """Ids are compared without case; the provider's own spelling is what it is called by."""
    provider = make_provider(list_url=server.lists("/v1/models", "Acme/Wren-8B"))
    offer = make_offer(provider, external_id="acme/wren-8b", context_tokens=4096)

    refreshed()

    offer.refresh_from_db()
    assert offer.external_id == "Acme/Wren-8B"
    assert offer.context_tokens == 4096
    assert changes(provider) == []


@pytest.mark.parametrize(
    ("body", "status_code", "told"),
    [
        (b"<!DOCTYPE html><title>Maintenance</title>", 200, "web page"),
        (b'{"data": [{"id": "a-1b"}, {"id": "b', 200, "not JSON, or only a part"),
        (b"[" * 100_000, 200, "not JSON"),
        (b'{"data": []}', 200, "empty"),
        (b'{"models": [{"id": "a-1b"}]}', 200, "no list under"),
        (b'{"data": {"id": "a-1b"}}', 200, "no list under"),
        (b'{"data": [1, null, "a", {"id": 7}]}', 200, "None of the 1 entries"),
        (b"", 200, "not JSON"),
        (b"\xff\xfe\x00", 200, "not JSON"),
        (
            b'{"error": {"message": "boom"}}',
            503,
            "The fault is there. The next refresh asks again.",
        ),
        (b'{"error": {"message": "who?"}}', 401, "Check or renew the provider's key."),
        (b'{"error": {"message": "what?"}}', 404, "The list has moved"),
        (b"x" * 16_500_000, 200, "longer than 16 MB"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, bytes) else str(value)[:12],
)
def test_a_bad_list_harms_neither_its_offers_nor_the_others(
    server: ListServer, body: bytes, status_code: int, told: str
) -> None:
    """HTML, half JSON, huge, empty or nonsense: the result says so, and that is all."""
    bad = make_provider(list_url=server.answers_bytes("/bad/models", body, status_code))
    kept = make_offer(bad, is_listed=True, last_seen=timezone.now())
    good = make_provider(list_url=server.lists("/good/models", "a-1b"))

    row = refreshed()

    kept.refresh_from_db()
    assert kept.status == OfferStatus.ACTIVE
    assert changes(bad) == []
    assert row.results.get(provider=bad).is_ok is False
    assert told in row.results.get(provider=bad).detail
    assert changes(good) == [(ChangeKind.ADDED, "a-1b")]
    assert row.state == RefreshState.DONE
    assert row.detail == "1 of 2 lists renewed: 1 new."


def test_a_provider_that_does_not_answer_costs_only_itself(server: ListServer) -> None:
    """A closed port is a failed result with a reason."""
    dead = make_provider(list_url="http://127.0.0.1:9/v1/models")
    good = make_provider(list_url=server.lists("/v1/models", "a-1b"))

    row = refreshed()

    assert "Check that this machine reaches its host." in row.results.get(provider=dead).detail
    assert row.results.get(provider=good).is_ok


def test_who_cannot_be_asked_is_left_out(server: ListServer) -> None:
    """Disabled and retired providers, unknown shapes and missing keys send no request."""
    url = server.lists("/v1/models", "a-1b")
    make_provider(list_url=url, is_enabled=False)
    make_provider(list_url=url, is_retired=True)
    make_provider(list_url=url, list_dialect="none")
    make_provider(list_url=url, auth="bearer", list_auth_required=True)
    make_provider(list_url="", list_dialect="openai")
    make_provider(list_url="{ACCOUNT_ID}/models")

    row = refreshed()

    assert server.requests == []
    assert (row.state, row.total) == (RefreshState.DONE, 0)


def test_an_own_endpoint_is_asked_below_its_base_address(server: ListServer) -> None:
    """Own endpoints need no list address of their own."""
    server.lists("/mine/v1/models", "my-model")
    provider = make_provider(
        origin=Origin.OWN,
        base_url=f"{server.url}/mine/v1",
        list_url="",
        allows_private_address=True,
    )

    refreshed(provider)

    assert provider.offers.get().external_id == "my-model"


def test_an_own_endpoint_without_permission_is_not_called_on_a_private_address(
    server: ListServer,
) -> None:
    """The address is judged again when the list is fetched."""
    server.lists("/v1/models", "my-model")
    provider = make_provider(origin=Origin.OWN, base_url=f"{server.url}/v1", list_url="")

    row = refreshed(provider)

    assert server.requests == []
    assert row.results.get().is_ok is False


def test_a_refresh_of_one_provider_leaves_the_others_alone(server: ListServer) -> None:
    """Its scope is its provider."""
    asked = make_provider(list_url=server.lists("/a/models", "a-1b"))
    make_provider(list_url=server.lists("/b/models", "b-1b"))

    refreshed(asked)

    assert [path for path, _ in server.requests] == ["/a/models"]


def test_hidden_offers_and_disabled_choices_survive(server: ListServer) -> None:
    """A refresh touches facts, never an admin's choice."""
    provider = make_provider(list_url=server.lists("/v1/models", "wren-8b"))
    offer = make_offer(provider, external_id="wren-8b")
    chosen = {"hidden": True, "pinned": True, "limits": {"rpm": 3}, "free": False, "note": "Mine."}
    for aspect, value in chosen.items():
        make_choice(offer, aspect, value)
    make_choice(offer.model, "name", "Our Wren")

    refreshed()

    offer = Offer.objects.get()
    assert (offer.is_hidden, offer.chosen.is_pinned, offer.is_free) == (True, True, False)
    assert (offer.effective_limits, offer.chosen.note) == ({"rpm": 3}, "Mine.")
    assert offer.model.shown_name == "Our Wren"
    assert offer.is_listed


def test_a_model_that_is_no_chat_model_adds_no_offer_but_keeps_a_known_one(
    server: ListServer,
) -> None:
    """Speech and embedding models of the mapping stay; new ones are not our business."""
    provider = make_provider(
        list_url=server.lists("/v1/models", "whisper-large-v3", "acme-embed-1", "a-1b")
    )
    whisper = make_offer(
        provider, make_model("Whisper Large v3", modality="stt"), external_id="whisper-large-v3"
    )

    refreshed()

    whisper.refresh_from_db()
    assert whisper.status == OfferStatus.ACTIVE
    assert changes(provider) == [(ChangeKind.ADDED, "a-1b")]


@pytest.mark.django_db(transaction=True)
def test_every_process_hears_of_it(server: ListServer) -> None:
    """The catalog's generation grows, so that snapshots are renewed."""
    make_provider(list_url=server.lists("/v1/models", "a-1b"))
    before = generation.current()

    refreshed()

    assert (generation.current() or 0) > (before or 0)


def test_a_key_is_sent_where_the_list_asks_for_one(server: ListServer, settings: Any) -> None:
    """And only there: a public list is asked without it."""
    settings.PROVIDER_KEYS_FROM_ENV = {"WREN_API_KEY": "secret-of-wren"}
    url = server.lists("/private/models", "a-1b")
    key = {"auth": "bearer", "env_var": "WREN_API_KEY"}
    make_provider(list_url=url, list_auth_required=True, **key)
    make_provider(list_url=server.lists("/public/models", "a-1b"), **key)

    refreshed()

    sent = {path: headers.get("authorization") for path, headers in server.requests}
    assert sent == {"/private/models": "Bearer secret-of-wren", "/public/models": None}


def test_a_refused_key_is_not_repeated(
    server: ListServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the result nor in the log, where the host's refusal does."""
    settings.PROVIDER_KEYS_FROM_ENV = {"WREN_API_KEY": "secret-of-wren"}
    refusal = b'{"error": {"message": "Invalid key Bearer secret-of-wren"}}'
    url = server.answers_bytes("/v1/models", refusal, status=401)
    make_provider(list_url=url, list_auth_required=True, auth="bearer", env_var="WREN_API_KEY")

    result = refreshed().results.get()

    assert "Invalid key Bearer …" in result.detail
    assert "secret-of-wren" not in result.detail + caplog.text


def test_an_address_is_completed_by_the_keys_second_value(
    server: ListServer, settings: Any
) -> None:
    """Cloudflare lists below the account's id, which comes with the key."""
    settings.PROVIDER_KEYS_FROM_ENV = {"WREN_API_KEY": "secret", "WREN_ACCOUNT": "acc-7"}
    server.lists("/acc-7/models", "a-1b")
    provider = make_provider(
        list_url=f"{server.url}/{{WREN_ACCOUNT}}/models",
        list_auth_required=True,
        auth="x-wren-key",
        env_var="WREN_API_KEY",
        extra_env="WREN_ACCOUNT",
    )

    refreshed()

    assert provider.offers.get().external_id == "a-1b"
    assert server.requests[0][1]["x-wren-key"] == "secret"


def test_odd_ids_and_names_are_left_out(server: ListServer) -> None:
    """NUL bytes and novels as ids never reach the database; the result counts them."""
    ids = ["a\x00b", "x" * 300, "  ", "wren-8b", "WREN-8B"]
    provider = make_provider(
        list_url=server.answers_json("/v1/models", {"data": [{"id": one} for one in ids]})
    )

    row = refreshed()

    assert list(provider.offers.values_list("external_id", flat=True)) == ["wren-8b"]
    assert row.results.get().odd_words == (
        "3 entries without a usable id, 1 id that stood there before"
    )


def test_a_list_of_more_than_anybody_gives_away_is_held(server: ListServer) -> None:
    """One server's fault or joke does not fill the catalog; the result names the bound."""
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"))
    refreshed()
    server.lists("/v1/models", "a-1b", *(f"maker/bird-{n}-8b" for n in range(MOST_KEPT)))

    row = refreshed()

    assert "2,001 models" in row.results.get().detail
    assert "at most 2,000" in row.results.get().detail
    assert changes(provider) == [(ChangeKind.ADDED, "a-1b")]
    assert status(provider, "a-1b") == OfferStatus.ACTIVE


def test_a_long_list_is_applied_as_one(server: ListServer) -> None:
    """Two thousand models, all of them."""
    ids = [f"maker-{n}/bird-{n}-{n % 90 + 1}b-instruct" for n in range(2000)]
    provider = make_provider(
        list_url=server.answers_bytes(
            "/v1/models", json.dumps({"data": [{"id": one} for one in ids]}).encode()
        )
    )

    row = refreshed()

    assert provider.offers.count() == 2000
    assert row.results.get().added == 2000


def test_a_list_that_dawdles_costs_only_itself(
    server: ListServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after its time, and the others have long been renewed."""
    monkeypatch.setattr(fetch, "WITHIN_S", 1.5)
    slow = make_provider(list_url=server.lists("/v1/slow", "a-1b"))
    good = make_provider(list_url=server.lists("/good/models", "b-1b"))

    row = refreshed()

    assert "It may be slow just now." in row.results.get(provider=slow).detail
    assert row.results.get(provider=good).is_ok
    assert row.results.get(provider=good).duration_s < row.results.get(provider=slow).duration_s


def test_a_list_that_fails_once_is_asked_again(server: ListServer) -> None:
    """By the engine's own rules, within the same refresh."""
    server.fails_first("/v1/models", status=503)
    provider = make_provider(list_url=server.lists("/v1/models", "a-1b"))

    row = refreshed()

    assert row.results.get().is_ok
    assert len(server.requests) == 2
    assert provider.offers.count() == 1


def test_a_provider_whose_breaker_is_open_is_not_asked(server: ListServer, redis_url: str) -> None:
    """What calls found out holds for its list; the result says so, and the others are renewed."""
    down = make_provider(list_url=server.lists("/down/models", "a-1b"))
    good = make_provider(list_url=server.lists("/good/models", "b-1b"))
    async_to_sync(hold_open)(redis_url, down)

    row = refreshed()

    assert [path for path, _ in server.requests] == ["/good/models"]
    assert "maintenance" in row.results.get(provider=down).detail
    assert row.results.get(provider=good).is_ok


async def hold_open(redis_url: str, provider: Provider) -> None:
    async with Gateway.open(redis_url) as gateway:
        await gateway.force_breaker(
            provider.slug, None, is_open=True, for_s=60, reason="maintenance"
        )


def test_an_endless_answer_is_cut_short(server: ListServer) -> None:
    """Five hundred megabytes are neither kept nor waited for."""
    endless = make_provider(list_url=server.answers_endlessly("/endless/models", megabytes=500))
    good = make_provider(list_url=server.lists("/good/models", "b-1b"))

    row = refreshed()

    assert "longer than 16 MB" in row.results.get(provider=endless).detail
    assert row.results.get(provider=good).is_ok
    assert server.sent_bytes < 60_000_000  # what the sockets hold included

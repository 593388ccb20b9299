"""Adding, checking, switching and removing keys on a provider's page."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from catalog.key_check import KeyReport
from catalog.key_store import keep_report, switch_key
from catalog.models import KeyVerdict, Provider, ProviderKey, Tier
from tests.catalog.key_server import GOOD_KEY, KeyServer
from tests.factories import make_key, make_model, make_offer, make_provider

WRONG_KEY = "gsk_wrong_made_up_key_0000"


@pytest.fixture
def server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture
def provider(db: None, server: KeyServer) -> Provider:
    provider = make_provider(
        slug="wren",
        auth="bearer",
        tier=Tier.LOCAL,
        base_url=server.base_url,
        list_url=f"{server.base_url}/models",
        list_auth_required=True,
    )
    make_offer(provider, external_id="wren-8b")
    return provider


def add(client: Client, secret: str, **fields: Any) -> Any:
    return client.post("/catalog/providers/wren/keys/add/", {"secret": secret, **fields})


def test_a_good_key_is_checked_and_kept(
    admin_client: Client, provider: Provider, server: KeyServer
) -> None:
    """The verdict stands on a list and a chat that both carried the key."""
    response = add(admin_client, f"  {GOOD_KEY}\n", label="mine")
    row = ProviderKey.objects.get()
    assert response.status_code == 302
    assert (row.verdict, row.label, row.tail) == ("works", "mine", "f2Qa")
    assert [path for path, sent in server.asked if sent] == ["/v1/models", "/v1/chat/completions"]
    page = admin_client.get(response.url).content.decode()
    assert "A model answers" in page
    assert GOOD_KEY not in page


def test_a_wrong_key_is_not_kept_and_never_shown(
    admin_client: Client, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    """The provider's refusal decides, even when its error repeats the key."""
    with caplog.at_level(logging.DEBUG):
        response = add(admin_client, WRONG_KEY)
    page = response.content.decode()
    assert response.status_code == 422
    assert "not kept" in page
    assert "The key is refused" in page
    assert not ProviderKey.objects.exists()
    assert WRONG_KEY not in page
    assert WRONG_KEY not in caplog.text


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((403, {"error": {"message": "Not allowed"}}), "no_permission"),
        ((402, {"error": {"message": "Payment required"}}), "quota_used_up"),
        ((429, {"error": {"message": "Rate limit"}}), "quota_used_up"),
        ((500, {"error": {"message": "Oops"}}), "provider_down"),
        ((503, b"<html>down</html>"), "provider_down"),
    ],
)
def test_the_verdict_names_what_happened(
    admin_client: Client,
    provider: Provider,
    server: KeyServer,
    answer: tuple[int, object],
    verdict: str,
) -> None:
    """A key that was accepted is kept, with the verdict of the model's answer."""
    server.chat = answer
    add(admin_client, GOOD_KEY)
    assert ProviderKey.objects.get().verdict == verdict


def test_a_public_list_proves_nothing(
    admin_client: Client, provider: Provider, server: KeyServer
) -> None:
    """Where the list answers everyone only the chat decides."""
    Provider.objects.update(list_auth_required=False)
    assert add(admin_client, WRONG_KEY).status_code == 422
    assert all(path.endswith("/chat/completions") for path, _ in server.asked)


def test_without_a_chat_model_a_public_list_gives_no_verdict(
    admin_client: Client, provider: Provider
) -> None:
    """Nothing that needs the key was asked, so nothing is claimed."""
    Provider.objects.update(list_auth_required=False)
    provider.offers.all().delete()
    make_offer(provider, make_model("Wren Embed", modality="embedding"))
    add(admin_client, GOOD_KEY)
    assert ProviderKey.objects.get().verdict == "unclear"


def test_keeping_without_a_check_asks_nobody(
    admin_client: Client, provider: Provider, server: KeyServer
) -> None:
    """The second button keeps the key as it is."""
    add(admin_client, WRONG_KEY, unchecked="1")
    assert ProviderKey.objects.get().verdict == "untested"
    assert server.asked == []


def test_the_same_key_is_refused_by_name(admin_client: Client, provider: Provider) -> None:
    """The error says under which label it is here already."""
    make_key(provider, GOOD_KEY, label="team key")
    response = add(admin_client, GOOD_KEY)
    assert response.status_code == 422
    assert "“team key”" in response.content.decode()


@pytest.mark.parametrize(
    "typed", ["", "   ", "a b", "a\nb", "a\x00b", "schlüssel", "x" * 4001, "x" * 2_000_000]
)
def test_what_is_no_key_is_refused(admin_client: Client, provider: Provider, typed: str) -> None:
    """Each is answered in place, and never sent back."""
    response = add(admin_client, typed)
    assert response.status_code == 422
    assert not ProviderKey.objects.exists()
    assert typed.strip() == "" or f'value="{typed}' not in response.content.decode()


def test_an_htmx_refusal_leaves_the_form_alone(admin_client: Client, provider: Provider) -> None:
    """Only the answer is swapped, so that the typed key stays in its field."""
    response = admin_client.post(
        "/catalog/providers/wren/keys/add/", {"secret": "a b"}, headers={"HX-Request": "true"}
    )
    assert response["HX-Retarget"] == "#key-answer"
    assert b"<input" not in response.content


def test_an_account_id_is_asked_for_and_checked(admin_client: Client, db: None) -> None:
    """The value goes into an address, so only what fits there is taken."""
    make_provider(slug="wren", auth="bearer", base_url="https://x.test/{WREN_ACCOUNT}/v1")
    for typed in ("", "../../etc", "a/b"):
        assert add(admin_client, GOOD_KEY, WREN_ACCOUNT=typed, unchecked="1").status_code == 422
    add(admin_client, GOOD_KEY, WREN_ACCOUNT="abc-1", unchecked="1")
    assert ProviderKey.objects.get().extra == {"WREN_ACCOUNT": "abc-1"}


def test_the_account_id_is_asked_for_in_words(admin_client: Client, db: None) -> None:
    """Its label is no variable's name, and the hint is the step that says where it stands."""
    step = "Copy the account id from the home page."
    make_provider(
        slug="wren",
        auth="bearer",
        env_var="WREN_API_KEY",
        base_url="https://x.test/{WREN_ACCOUNT_ID}/v1",
        key_steps=["Sign in.", step],
    )
    page = admin_client.get("/catalog/providers/wren/").content.decode()
    assert re.search(r"<label[^>]*>Account id</label>", page)
    assert f"{step} In the environment it is WREN_ACCOUNT_ID." in page


def test_a_stored_key_is_checked_again(
    admin_client: Client, provider: Provider, server: KeyServer
) -> None:
    """The new verdict replaces the old one and its evidence stands on the page."""
    row = make_key(provider, GOOD_KEY)
    admin_client.post(f"/catalog/providers/keys/{row.pk}/check/")
    row.refresh_from_db()
    assert row.verdict == "works"
    server.models = server.chat = (401, {"error": {"message": "revoked"}})
    response = admin_client.post(
        f"/catalog/providers/keys/{row.pk}/check/", headers={"HX-Request": "true"}
    )
    row.refresh_from_db()
    assert row.verdict == "wrong_key"
    assert "The key is refused" in response.content.decode()


def test_the_key_of_the_environment_is_shown_by_its_tail(
    admin_client: Client, provider: Provider, settings: Settings
) -> None:
    """It can be checked, not removed."""
    settings.PROVIDER_KEYS_FROM_ENV = {"WREN_API_KEY": GOOD_KEY}
    Provider.objects.update(env_var="WREN_API_KEY")
    page = admin_client.get("/catalog/providers/wren/").content.decode()
    assert "from the environment" in page
    assert "…f2Qa" in page
    assert GOOD_KEY not in page
    checked = admin_client.post("/catalog/providers/wren/keys/environment/check/", follow=True)
    assert "Works" in checked.content.decode()


def test_disabling_and_removing(admin_client: Client, provider: Provider) -> None:
    """Removal asks first; both are posts."""
    row = make_key(provider, GOOD_KEY)
    admin_client.post(f"/catalog/providers/keys/{row.pk}/switch/", {"is_enabled": "0"})
    row.refresh_from_db()
    assert not row.is_enabled
    url = f"/catalog/providers/keys/{row.pk}/remove/"
    assert b"Remove" in admin_client.get(url).content
    assert ProviderKey.objects.exists()
    admin_client.post(url)
    assert not ProviderKey.objects.exists()


@pytest.mark.parametrize("role", ["viewer_client", "operator_client"])
def test_only_admins_touch_keys(
    role: str, request: pytest.FixtureRequest, provider: Provider
) -> None:
    """Others see neither form nor keys, and every address refuses them."""
    client = request.getfixturevalue(role)
    row = make_key(provider, GOOD_KEY)
    page = client.get("/catalog/providers/wren/").content.decode()
    assert "Add a key" not in page.replace("Add a key to call it.", "")
    assert "f2Qa" not in page
    assert add(client, WRONG_KEY).status_code == 403
    for what in ("check", "switch", "remove"):
        url = f"/catalog/providers/keys/{row.pk}/{what}/"
        assert client.post(url).status_code == 403
    assert ProviderKey.objects.count() == 1


def test_writes_are_posts(admin_client: Client, provider: Provider) -> None:
    """A link can add, check or switch nothing."""
    row = make_key(provider, GOOD_KEY)
    for url in ("wren/keys/add/", f"keys/{row.pk}/check/", f"keys/{row.pk}/switch/"):
        assert admin_client.get(f"/catalog/providers/{url}").status_code == 405


def test_a_key_removed_while_it_is_checked_stays_removed(provider: Provider) -> None:
    """What the check found is then kept nowhere."""
    row = make_key(provider)
    ProviderKey.objects.all().delete()
    keep_report(row, KeyReport(KeyVerdict.WORKS, ()))
    switch_key(row, is_enabled=False)
    assert not ProviderKey.objects.exists()

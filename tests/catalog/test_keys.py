"""Keys at rest and in use: encrypted, found again, never shown."""

from __future__ import annotations

import logging

import pytest
from asgiref.sync import sync_to_async
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from catalog.key_store import NewKey, SameKey, store_key
from catalog.keys import fill_address, usable_keys
from catalog.models import Origin, SiteChoice
from catalog.targets import provider_usable, targets_for, unusable_reason
from gateway.types import Secret
from tests.factories import make_key, make_offer, make_provider

pytestmark = pytest.mark.django_db

SECRET = "sk_made_up_for_tests_9zQx"


def test_a_key_is_encrypted_at_rest() -> None:
    """The row holds no part of the key but its tail, and opens to the same key."""
    provider = make_provider(auth="bearer")
    row = make_key(provider, SECRET)
    assert SECRET not in row.secret_encrypted
    assert row.tail == "9zQx"
    (key,) = usable_keys(provider)
    assert key.secret.reveal() == SECRET
    assert SECRET not in repr(key)
    assert key.key_id == f"k{row.pk}"


def test_the_same_key_twice_is_refused() -> None:
    """The database itself refuses it, whoever was quicker."""
    provider = make_provider(auth="bearer")
    make_key(provider, SECRET)
    with pytest.raises(SameKey):
        store_key(NewKey(provider, Secret(SECRET)))
    store_key(NewKey(make_provider(auth="bearer"), Secret(SECRET)))


def test_rotation_encrypts_with_the_first_key(settings: Settings) -> None:
    """After `rotate_keys` the former value can be taken out."""
    provider = make_provider(auth="bearer")
    make_key(provider, SECRET)
    new = Fernet.generate_key().decode()
    settings.FIELD_ENCRYPTION_KEYS = [new, *settings.FIELD_ENCRYPTION_KEYS]
    call_command("rotate_keys")
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert usable_keys(provider)[0].secret.reveal() == SECRET


def test_a_key_nobody_can_open_is_not_usable(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out with a line in the log, and `rotate_keys` names it."""
    provider = make_provider(auth="bearer")
    make_key(provider, SECRET)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with caplog.at_level(logging.WARNING):
        assert usable_keys(provider) == []
    assert "FIELD_ENCRYPTION_KEYS" in caplog.text
    assert SECRET not in caplog.text
    with pytest.raises(CommandError, match="team key"):
        call_command("rotate_keys")


def test_a_key_of_the_environment_works_unstored(settings: Settings) -> None:
    """The usual name is enough."""
    settings.PROVIDER_KEYS_FROM_ENV = {"WREN_API_KEY": SECRET}
    provider = make_provider(auth="bearer", env_var="WREN_API_KEY")
    (key,) = usable_keys(provider)
    assert (key.key_id, key.label) == ("env", "WREN_API_KEY")
    assert provider_usable(provider)


async def test_a_target_for_each_offer_and_key(transactional_db: None) -> None:
    """The order of the offers is kept; a disabled key gives no target."""

    def rows() -> list[int]:
        provider = make_provider(auth="bearer", limits={"rpm": 30, "from_the_future": 1})
        make_key(provider, SECRET)
        make_key(provider, "sk_another_made_up_key", label="b")
        make_key(provider, "sk_a_disabled_made_up_key", label="c", is_enabled=False)
        keyless = make_provider()
        return [make_offer(keyless).pk, make_offer(provider).pk, make_offer(keyless).pk]

    first, second, third = await sync_to_async(rows)()
    targets = await targets_for([third, second, first, 999_999])
    assert [target.key is not None for target in targets] == [False, True, True, False]
    assert [limit.name for limit in targets[1].limits] == ["rpm"]


def test_an_address_is_filled_from_the_key() -> None:
    """A missing value makes the provider unusable, and the reason names it."""
    provider = make_provider(auth="bearer", base_url="https://x.test/{WREN_ACCOUNT}/v1")
    row = make_key(provider, SECRET)
    assert "WREN_ACCOUNT" in unusable_reason(provider)
    row.extra = {"WREN_ACCOUNT": "abc"}
    row.save()
    assert unusable_reason(provider) == ""
    assert fill_address(provider.base_url, row.extra) == "https://x.test/abc/v1"


@pytest.mark.parametrize(
    ("choice", "alone", "beside"), [("auto", 1, 0), ("on", 1, 1), ("off", 0, 0)]
)
def test_the_simulator_steps_aside(choice: str, alone: int, beside: int) -> None:
    """It is offered while nothing real is usable, unless an admin chose otherwise."""
    simulated = make_provider(origin=Origin.SIMULATOR, base_url="{SIMULATOR_URL}/sim/v1")
    SiteChoice.objects.update_or_create(pk=1, defaults={"simulator": choice})
    assert provider_usable(simulated) is bool(alone)
    make_provider()
    assert provider_usable(simulated) is bool(beside)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"is_retired": True}, "no longer answers"),
        ({"is_enabled": False}, "switch it on"),
        ({"base_url": ""}, "no common address"),
        ({"auth": "bearer"}, "Add a key"),
    ],
)
def test_a_reason_says_what_to_do(fields: dict[str, object], word: str) -> None:
    """Each obstacle has its own sentence."""
    assert word in unusable_reason(make_provider(**fields))

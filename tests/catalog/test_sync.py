"""The mapping into the database, again and again."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalog import generation
from catalog.models import Model, Offer, OfferStatus, Origin, Provider
from catalog.sync import sync_catalog
from gateway.simulator.scenario import default_scenario
from tests.factories import make_choice, make_offer, make_provider

pytestmark = pytest.mark.django_db


def test_a_fresh_database_gets_all_of_it() -> None:
    """Every provider and entry of the mapping, and the simulator's."""
    sync_catalog()

    assert Provider.objects.filter(origin=Origin.MAPPING).count() == 40
    assert Offer.objects.filter(provider__origin=Origin.MAPPING).count() == 492
    simulated = {one.slug for one in default_scenario().providers}
    assert (
        set(Provider.objects.filter(origin=Origin.SIMULATOR).values_list("slug", flat=True))
        == simulated
    )


def test_the_same_model_at_several_providers_is_one_model() -> None:
    """With an offer for each."""
    sync_catalog()
    llama = Model.objects.get(slug="llama-3-3-70b")

    assert llama.name == "Llama 3.3 70B Instruct"
    offers = llama.offers.values_list("provider__slug", flat=True)
    assert {"groq", "openrouter", "cloudflare"} <= set(offers)


def test_a_second_run_writes_nothing() -> None:
    """It reads three tables and compares."""
    sync_catalog()
    with CaptureQueriesContext(connection) as queries:
        result = sync_catalog()

    assert not result.has_changes
    written = [one["sql"] for one in queries if one["sql"].split()[0] in {"INSERT", "UPDATE"}]
    assert written == []
    assert len(queries) <= 10


def test_choices_survive() -> None:
    """What an admin switched stays switched, what a person added stays as it is."""
    sync_catalog()
    Provider.objects.filter(slug="groq").update(is_enabled=False, allows_private_address=True)
    Provider.objects.filter(slug="ollama").update(is_enabled=True)
    hidden = Offer.objects.filter(provider__slug="groq").first()
    assert hidden is not None
    make_choice(hidden, "hidden")
    make_choice(hidden, "limits", {"rpm": 7, "rpd": None})
    make_choice(hidden.model, "name", "Ours")
    own = make_provider(origin=Origin.OWN, name="My vLLM")
    mine = make_offer(own, external_id="my-model")

    sync_catalog()

    groq = Provider.objects.get(slug="groq")
    assert (groq.is_enabled, groq.allows_private_address) == (False, True)
    assert Provider.objects.get(slug="ollama").is_enabled
    kept = Offer.objects.get(pk=hidden.pk)
    assert kept.is_hidden
    assert kept.effective_limits["rpm"] == 7
    assert "rpd" not in kept.effective_limits
    assert kept.model.shown_name == "Ours"
    own.refresh_from_db()
    mine.refresh_from_db()
    assert (own.name, mine.status) == ("My vLLM", OfferStatus.ACTIVE)


def test_facts_that_were_altered_are_put_right() -> None:
    """Facts are the mapping's, in every field of every table."""
    sync_catalog()
    Provider.objects.filter(slug="groq").update(limits={}, base_url="https://old.example/v1")
    Model.objects.filter(slug="llama-3-3-70b").update(params_b=7)
    Offer.objects.filter(provider__slug="groq").update(limits={})

    result = sync_catalog()

    assert (result.providers.updated, result.models.updated) == (1, 1)
    assert Provider.objects.get(slug="groq").limits["rpm"] == 30
    assert Model.objects.get(slug="llama-3-3-70b").params_b == 70
    assert Offer.objects.get(provider__slug="groq", external_id="openai/gpt-oss-20b").limits


def test_what_the_providers_list_said_outranks_the_mapping() -> None:
    """Context and status of an offer that a refresh has seen are left alone."""
    sync_catalog()
    offers = Offer.objects.filter(provider__slug="groq", external_id="openai/gpt-oss-20b")
    offers.update(context_tokens=4096, status=OfferStatus.MISSING, last_seen=timezone.now())

    sync_catalog()

    assert offers.get().context_tokens == 4096
    assert offers.get().status == OfferStatus.MISSING


def test_an_offer_its_list_never_held_stays_missing() -> None:
    """The mapping does not bring back what a refresh has found absent."""
    sync_catalog()
    offers = Offer.objects.filter(provider__slug="groq", external_id="openai/gpt-oss-20b")
    offers.update(status=OfferStatus.RETIRED, missing_since=timezone.now())

    sync_catalog()

    assert offers.get().status == OfferStatus.RETIRED


def test_retired_entries_are_marked() -> None:
    """Closed services and withdrawn models, with their day where it is known."""
    sync_catalog()
    github = Provider.objects.get(slug="github-models")

    assert github.is_retired
    assert str(github.retired_on) == "2026-07-30"
    assert set(github.offers.values_list("status", flat=True)) == {OfferStatus.RETIRED}


def test_what_a_later_version_drops_is_retired() -> None:
    """Entries that neither the mapping nor a list names are kept, but not offered."""
    sync_catalog()
    provider = make_provider(slug="forgotten", origin=Origin.MAPPING)
    orphan = make_offer(Provider.objects.get(slug="groq"), external_id="forgotten-1b")

    sync_catalog()

    provider.refresh_from_db()
    orphan.refresh_from_db()
    assert provider.is_retired
    assert orphan.status == OfferStatus.RETIRED


def test_an_own_endpoint_keeps_its_slug() -> None:
    """A person's entry is never overwritten by a provider of the same slug."""
    own = make_provider(slug="groq", origin=Origin.OWN, name="My groq")

    sync_catalog()

    own.refresh_from_db()
    assert (own.name, own.offers.count()) == ("My groq", 0)


def test_simulated_providers_work_at_once() -> None:
    """Without a key, at an address that follows the setting."""
    sync_catalog()

    for provider in Provider.objects.filter(origin=Origin.SIMULATOR):
        assert provider.is_enabled
        assert provider.auth == "none"
        assert provider.base_url == f"{{SIMULATOR_URL}}/{provider.slug}/v1"
        assert provider.offers.filter(status=OfferStatus.ACTIVE).exists()


def test_the_command_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each table."""
    call_command("sync_catalog")

    assert "offers: " in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_processes_hear_of_a_sync_that_changed_something() -> None:
    """And of no other."""
    sync_catalog()
    first = generation.current()
    sync_catalog()

    assert first
    assert generation.current() == first

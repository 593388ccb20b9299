"""What an admin chose holds over what lists and the mapping say, until it is taken back."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from catalog.browse import Filters, find
from catalog.choices import attach, choose, in_force, take_back
from catalog.models import Aspect, Choice, Offer
from catalog.rows import load_rows
from catalog.snapshot import snapshot
from catalog.targets import obstacles, targets_for
from gateway.types import parse_limits
from tests.factories import make_choice, make_model, make_offer, make_provider, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer() -> Offer:
    provider = make_provider(name="Sparrow", limits={"rpm": 30, "rpd": 1000})
    return make_offer(provider, make_model("Wren 8B"), external_id="wren-8b")


def _usable() -> set[int]:
    return {pk for pk, obstacle in obstacles().items() if obstacle is None}


def test_every_reader_goes_by_the_choice(offer: Offer) -> None:
    """The snapshot, the engine's targets and the catalog's rows say the same name and limits."""
    make_choice(offer.model, "name", "House Wren")
    make_choice(offer, "limits", {"rpm": 5, "rpd": None, "tpm": 900})
    limits = parse_limits({"rpm": 5, "tpm": 900}, pinned=("rpm", "tpm"))
    [candidate] = snapshot().candidates
    assert (candidate.model_name, candidate.limits) == ("House Wren", limits)
    [target] = async_to_sync(targets_for)([offer.pk])
    assert (target.model_name, target.limits) == ("House Wren", limits)
    [row] = load_rows(_usable())
    assert row.name == "House Wren"
    assert row.offers[0].chosen.limits == {"rpm": 5, "rpd": None, "tpm": 900}
    again = Offer.objects.get()
    assert again.published_limits == {"rpm": 30, "rpd": 1000}
    assert str(again) == "House Wren on Sparrow"


def test_limits_of_a_provider_hold_for_offers_without_own(offer: Offer) -> None:
    """An offer's own limits, published or chosen, stand nearer to it."""
    own = make_offer(offer.provider, offer.model, limits={"rpm": 2})
    make_choice(offer.provider, "limits", {"rpd": 50})
    read = {one.pk: one.effective_limits for one in Offer.objects.all()}
    assert read == {offer.pk: {"rpm": 30, "rpd": 50}, own.pk: {"rpm": 2}}


def test_what_is_hidden_or_not_free_is_never_called(offer: Offer) -> None:
    """By the offer or by its model; shown again, it is called again."""
    for subject, aspect, value in (
        (offer, "hidden", True),
        (offer.model, "hidden", True),
        (offer, "free", False),
    ):
        make_choice(subject, aspect, value)
        assert async_to_sync(targets_for)([offer.pk]) == []
        assert snapshot().candidates == ()
        assert not any(one.usable_count for one in load_rows(_usable()))
        take_back([subject], Aspect(aspect), None)
        assert len(async_to_sync(targets_for)([offer.pk])) == 1


def test_a_pinned_offer_stands_first(offer: Offer) -> None:
    """Of those that can be called; a pinned model stands first in the catalog."""
    first = make_offer(make_provider(name="Aaa"), offer.model)
    assert [one.pk for one in load_rows(_usable())[0].offers] == [first.pk, offer.pk]
    make_choice(offer, "pinned")
    assert [one.pk for one in load_rows(_usable())[0].offers] == [offer.pk, first.pk]
    heron = make_offer(offer.provider, make_model("Heron 70B")).model
    make_choice(heron, "pinned")
    rows = find(load_rows(_usable()), Filters()).models
    assert [row.name for row in rows] == ["Heron 70B", "Wren 8B"]


def test_each_choice_keeps_who_when_and_what_before(offer: Offer) -> None:
    """Also those that another followed, or that were taken back."""
    mara, jon = make_user(username="mara"), make_user(username="jon")
    assert choose([offer], Aspect.LIMITS, {"rpm": 5}, mara) == 1
    assert choose([offer], Aspect.LIMITS, {"rpm": 5}, jon) == 0  # it holds already
    assert choose([offer], Aspect.LIMITS, {"rpm": 9}, jon) == 1
    assert take_back([offer], Aspect.LIMITS, mara) == 1
    assert take_back([offer], Aspect.LIMITS, mara) == 0
    second, first = Choice.objects.all()
    assert (first.author, first.before, first.ended_by) == (mara, {"rpm": 30, "rpd": 1000}, jon)
    assert (second.author, second.before, second.ended_by) == (jon, {"rpm": 5, "rpd": 1000}, mara)
    assert first.ended_at
    assert first.at < first.ended_at <= second.at
    assert in_force(Offer.objects.get(), Aspect.LIMITS) == {"rpm": 30, "rpd": 1000}


def test_many_are_chosen_at_once(offer: Offer) -> None:
    """More than fit one statement; those that were chosen already are left alone."""
    make_choice(offer, "hidden")
    for _ in range(250):
        make_offer(offer.provider, offer.model)
    offers = list(Offer.objects.all())
    assert choose(offers, Aspect.HIDDEN, value=True, user=None) == 250
    assert not Offer.objects.shown().exists()
    assert take_back(offers, Aspect.HIDDEN, None) == 251
    assert Offer.objects.shown().count() == 251


def test_reading_many_costs_one_query(offer: Offer, django_assert_num_queries: object) -> None:
    """However many offers there are."""
    for _ in range(20):
        make_choice(make_offer(offer.provider, offer.model), "note", "Slow at night.")
    offers = list(Offer.objects.select_related("provider", "model"))
    with django_assert_num_queries(1):  # type: ignore[operator]  # a fixture
        attach(offers)
        assert sum(bool(one.chosen.note) for one in offers) == 20
        assert not any(one.is_hidden for one in offers)
        assert all(one.effective_limits for one in offers)


def test_one_choice_of_a_kind_is_in_force(offer: Offer) -> None:
    """And each is of exactly one thing: the database holds to both."""
    make_choice(offer, "hidden")
    for wrong in ({"offer": offer}, {"offer": offer, "model": offer.model}, {}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Choice.objects.create(aspect="hidden", value=True, **wrong)


@pytest.mark.django_db(transaction=True)
def test_what_was_hidden_before_stays_hidden() -> None:
    """The migration that moved it keeps it, there and back."""
    before = [("catalog", "0013_choices")]
    after = MigrationExecutor(connection).loader.graph.leaf_nodes("catalog")
    offer, other = make_offer(), make_offer()
    make_choice(offer, "hidden")
    MigrationExecutor(connection).migrate(before)
    try:
        old = MigrationExecutor(connection).loader.project_state(before).apps
        rows = dict(old.get_model("catalog", "Offer").objects.values_list("pk", "is_hidden"))
        assert rows == {offer.pk: True, other.pk: False}
    finally:
        MigrationExecutor(connection).migrate(after)
    assert Offer.objects.get(pk=offer.pk).is_hidden
    assert not Offer.objects.get(pk=other.pk).is_hidden

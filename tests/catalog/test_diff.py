"""What a list changes, decided without a database's help."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.diff import compare
from catalog.models import Model, Offer, OfferStatus
from catalog.sources.listed import ListedModel
from catalog.trust import Shrink, shrink_of

SINCE = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
CHAT = Model(name="Wren 8B", modality="chat")


def offer(external_id: str, status: str = OfferStatus.ACTIVE, **fields: object) -> Offer:
    return Offer(external_id=external_id, model=CHAT, status=status, **fields)


def test_an_absence_noticed_since_this_refresh_began_is_the_same_one() -> None:
    """Two refreshes that overlap do not make an offer vanish between them."""
    before, after = SINCE - dt.timedelta(seconds=1), SINCE + dt.timedelta(seconds=1)
    earlier = offer("a", OfferStatus.MISSING, missing_since=before)
    just_now = offer("b", OfferStatus.MISSING, missing_since=after)

    diff = compare([earlier, just_now], [], SINCE)

    assert diff.gone == [earlier]
    assert diff.missing == []


def test_a_first_look_at_an_offer_of_the_mapping_is_no_change() -> None:
    """The mapping's figure was only ours; the list's takes its place without a word."""
    known = offer("a", context_tokens=8192)

    diff = compare([known], [ListedModel("a", context_tokens=4096)], SINCE)

    assert [one for one, _ in diff.seen] == [known]


def test_a_figure_the_list_leaves_out_is_no_change() -> None:
    """Silence is not a new value."""
    known = offer("a", context_tokens=8192, last_seen=SINCE)

    assert compare([known], [ListedModel("a")], SINCE).changed == []


def test_what_the_rule_leaves_out_does_not_come_back() -> None:
    """A retired offer returns only as a free chat model."""
    retired = offer("a", OfferStatus.RETIRED)

    assert compare([retired], [ListedModel("a", is_wanted=False)], SINCE).returned == []
    assert compare([retired], [ListedModel("a")], SINCE).returned


@pytest.mark.parametrize(
    ("listed", "shrink"),
    [
        ("abcd", Shrink(0, 4)),
        ("ab", Shrink(2, 4)),
        ("a", Shrink(3, 4)),
        ("", Shrink(5, 5)),
    ],
)
def test_a_shrink_is_of_what_was_listed(listed: str, shrink: Shrink) -> None:
    """Offers that only the mapping knows count where the list is empty alone."""
    known = [offer(one, is_listed=True) for one in "abcd"] + [offer("only-mapped")]

    found = shrink_of(known, [ListedModel(one.upper()) for one in listed])

    assert found == shrink
    assert found.is_suspicious is (len(listed) < 2)


ids = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(known=ids, listed=ids, statuses=st.lists(st.sampled_from(OfferStatus.values), min_size=8))
def test_every_entry_and_offer_is_accounted_for_once(
    known: list[str], listed: list[str], statuses: list[str]
) -> None:
    """Nothing is lost between the lists, nothing stands in two of them."""
    offers = [offer(one, status) for one, status in zip(known, statuses, strict=False)]
    diff = compare(offers, [ListedModel(one) for one in listed], SINCE)

    pairs = [*diff.seen, *((one, entry) for one, entry, _ in diff.changed), *diff.returned]
    present = [entry.external_id for _, entry in pairs] + [one.external_id for one in diff.added]
    absent = [one.external_id for one in (*diff.missing, *diff.gone)]
    assert sorted(present) == sorted(listed)
    assert len(set(absent)) == len(absent)
    assert set(absent) <= set(known) - set(listed)

"""Whether a list is to be believed: when it is longer, or has shrunk more, than lists do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.models import Offer, OfferStatus
from catalog.sources.listed import BadList, ListedModel

# Several times what the longest list holds (OpenRouter's some 350 in 2026). What is held beyond
# that would fill the catalog, and every ranking, with one server's fault or joke.
MOST_KEPT = 2_000
MOST_LOST = 0.5


@dataclass(frozen=True, slots=True)
class Shrink:
    """How many of the models that were there before a list no longer names."""

    lost: int
    before: int

    @property
    def is_suspicious(self) -> bool:
        return self.lost > MOST_LOST * self.before


def check_length(listed: Sequence[ListedModel]) -> None:
    """Raises BadList for more models than anybody gives away."""
    count = sum(one.is_wanted for one in listed)
    if count > MOST_KEPT:
        raise BadList(
            f"The list names {count:,} models, which looks like a fault there: at most "
            f"{MOST_KEPT:,} of one provider are kept. Nothing was changed."
        )


def shrink_of(known: Sequence[Offer], listed: Sequence[ListedModel]) -> Shrink:
    """Against what was listed the last time. An empty list loses what the mapping offers, too."""
    present = {entry.external_id.lower() for entry in listed}
    before = [one for one in known if one.is_listed or (not present and _is_offered(one))]
    lost = [one for one in before if one.external_id.lower() not in present]
    return Shrink(len(lost), len(before))


def _is_offered(offer: Offer) -> bool:
    return offer.status == OfferStatus.ACTIVE

"""Whether a list is to be believed: when it is longer, or has shrunk more, than lists do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.utils import timezone

from catalog.diff import lost_share
from catalog.models import Offer, Provider
from catalog.sources.listed import BadList, ListedModel

# Several times what the longest list holds (OpenRouter's some 350 in 2026). What is held beyond
# that would fill the catalog, and every ranking, with one server's fault or joke.
MOST_KEPT = 2_000
MOST_LOST = 0.5
# A list that shrank is believed once it has said so for this long.
BELIEVED_AFTER = dt.timedelta(hours=24)


def check_length(listed: Sequence[ListedModel]) -> None:
    """Raises BadList for more models than anybody gives away."""
    count = sum(one.is_wanted for one in listed)
    if count > MOST_KEPT:
        raise BadList(
            f"The list names {count:,} models, which looks like a fault there: at most "
            f"{MOST_KEPT:,} of one provider are kept. Nothing was changed."
        )


def check_list(provider: Provider, known: Sequence[Offer], listed: Sequence[ListedModel]) -> None:
    """Raises BadList for an empty list, and for one that lost more than half of its models."""
    if not listed:
        raise BadList("The list was empty. Nothing was changed.")
    lost = lost_share(known, listed)
    if lost > MOST_LOST and not _has_said_so_for_long(provider):
        raise BadList(
            f"{lost:.0%} of the models were not in the list, which looks like a fault there. "
            "Nothing was changed; if the list stays like this for a day, it is believed."
        )


def _has_said_so_for_long(provider: Provider) -> bool:
    """Whether non-empty lists were refused for a day, without a good one in between."""
    results = provider.results.order_by("-refresh__created_at").select_related("refresh")
    last_good = results.filter(is_ok=True).first()
    refused = results.filter(is_ok=False, listed__gt=0)
    if last_good is not None:
        refused = refused.filter(refresh__created_at__gt=last_good.refresh.created_at)
    first_refused = refused.last()
    if first_refused is None:
        return False
    return timezone.now() - first_refused.refresh.created_at >= BELIEVED_AFTER

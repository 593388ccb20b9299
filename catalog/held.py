"""Lists that shrank suspiciously: kept as they were read, until somebody decides."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.utils import timezone

from catalog.models import HeldList, HeldState, Offer, OfferStatus, Provider, Refresh
from catalog.sources.listed import ListedModel
from catalog.trust import Shrink
from freellm_site.lib.format import absolute, counted

MOST_NAMED = 12


def hold(
    refresh: Refresh, provider: Provider, listed: Sequence[ListedModel], shrink: Shrink
) -> HeldList:
    """Keep the list for a decision; one that was read and decided on before stays as it is."""
    digest = _digest(listed)
    last = provider.held_lists.first()
    if last and last.digest == digest and last.state in (HeldState.WAITING, HeldState.DISMISSED):
        return last
    overtake(provider)
    held: HeldList = provider.held_lists.create(
        refresh=refresh,
        digest=digest,
        entries=[asdict(one) for one in listed],
        lost=shrink.lost,
        before=shrink.before,
    )
    return held


def overtake(provider: Provider) -> None:
    """Another list has come: there is nothing more to decide about the one that waits."""
    provider.held_lists.filter(state=HeldState.WAITING).update(
        state=HeldState.OVERTAKEN, decided_at=timezone.now()
    )


def listed_in(held: HeldList) -> list[ListedModel]:
    entries = ({**one, "specialties": tuple(one["specialties"])} for one in held.entries)
    return [ListedModel(**one) for one in entries]


def told(held: HeldList) -> str:
    """What is wrong with it, and what comes next."""
    lost = f"{held.lost} of {counted(held.before, 'model')}"
    what = f"lacks {lost}" if held.entries else f"was empty, where {lost} stood before"
    if held.state == HeldState.DISMISSED:
        return f"The list still {what}. It was dismissed{_decision(held)}. Nothing was changed."
    return (
        f"The list {what}, which looks like a fault there. It is held: an admin can apply or "
        "dismiss it on the provider's page. Nothing was changed."
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held list as the provider's page shows it."""

    held: HeldList
    told: str
    missed: Sequence[Offer]  # would go missing if it were applied

    @property
    def named(self) -> Sequence[Offer]:
        return self.missed[:MOST_NAMED]

    @property
    def unnamed_count(self) -> int:
        return max(0, len(self.missed) - MOST_NAMED)


def waiting_list(provider: Provider) -> Waiting | None:
    held = provider.held_lists.filter(state=HeldState.WAITING).first()
    if held is None:
        return None
    present = {one["external_id"].lower() for one in held.entries}
    offers = provider.offers.filter(status=OfferStatus.ACTIVE).select_related("model")
    missed = [one for one in offers if one.external_id.lower() not in present]
    return Waiting(held, told(held), missed)


def _decision(held: HeldList) -> str:
    by = f" by {held.decided_by.get_username()}" if held.decided_by else ""
    return f"{by} on {absolute(held.decided_at)}" if held.decided_at else by


def _digest(listed: Sequence[ListedModel]) -> str:
    ids = sorted(one.external_id.lower() for one in listed)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()

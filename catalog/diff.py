"""What a provider's list changes in the catalog. Pure: rows and entries in, a plan out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from catalog.models import CHAT_MODALITIES, Offer, OfferStatus
from catalog.naming import parse
from catalog.sources.listed import ListedModel

Pair = tuple[Offer, ListedModel]


@dataclass(slots=True)
class Diff:
    """Every offer and entry stands in exactly one list (`retired` offers may stand in none)."""

    added: list[ListedModel] = field(default_factory=list)
    seen: list[Pair] = field(default_factory=list)
    changed: list[tuple[Offer, ListedModel, str]] = field(default_factory=list)
    returned: list[Pair] = field(default_factory=list)
    missing: list[Offer] = field(default_factory=list)
    gone: list[Offer] = field(default_factory=list)


def compare(known: Sequence[Offer], listed: Sequence[ListedModel], since: dt.datetime) -> Diff:
    """`since` is when this refresh began: an absence noticed later than that is the same one.

    An offer that is absent goes missing, and is gone when it is absent again the next time.
    """
    diff = Diff()
    by_id = {offer.external_id.lower(): offer for offer in known}
    for entry in listed:
        offer = by_id.pop(entry.external_id.lower(), None)
        if offer is not None:
            _compare_one(diff, offer, entry)
        elif entry.is_wanted and modality_of(entry) in CHAT_MODALITIES:
            diff.added.append(entry)
    for offer in by_id.values():
        _note_absence(diff, offer, since)
    return diff


def modality_of(entry: ListedModel) -> str:
    """The list's own word; else, and where the list calls every model "chat", the id's."""
    by_id = parse(entry.external_id).modality
    return by_id if entry.modality in {"", "chat"} else entry.modality


def _compare_one(diff: Diff, offer: Offer, entry: ListedModel) -> None:
    if offer.status != OfferStatus.ACTIVE:
        if entry.is_wanted or offer.status == OfferStatus.MISSING:
            diff.returned.append((offer, entry))
        return
    detail = difference(offer, entry) if offer.last_seen else ""
    if detail:
        diff.changed.append((offer, entry, detail))
    else:
        diff.seen.append((offer, entry))


def difference(offer: Offer, entry: ListedModel) -> str:
    """What the list says otherwise than before, in words; "" where nothing."""
    said = (
        ("context", offer.context_tokens, entry.context_tokens),
        ("longest answer", offer.max_output_tokens, entry.max_output_tokens),
    )
    parts = [f"was {offer.external_id}"] if entry.external_id != offer.external_id else []
    parts += [
        f"{what} {now:,}, was {before:,}" if before else f"{what} {now:,}"
        for what, before, now in said
        if now and now != before
    ]
    return "; ".join(parts)


def _note_absence(diff: Diff, offer: Offer, since: dt.datetime) -> None:
    is_listable = offer.is_listed or offer.model.modality in CHAT_MODALITIES
    if offer.status == OfferStatus.ACTIVE and is_listable:
        diff.missing.append(offer)
    elif offer.status == OfferStatus.MISSING and _is_earlier(offer.missing_since, since):
        diff.gone.append(offer)


def _is_earlier(moment: dt.datetime | None, since: dt.datetime) -> bool:
    return moment is None or moment < since

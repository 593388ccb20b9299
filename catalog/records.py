"""Offers as programs read them: the fields of the read API and of the exports, one by one.

The names are a promise, kept in docs/api.md: fields may be added, never renamed or removed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from catalog.rows import ModelRow, OfferRow
from catalog.selection import Selection

Record = dict[str, Any]

FIELDS = (
    *("offer", "provider", "provider_name", "terms", "model", "model_name", "external_id"),
    *("family", "modality", "params_b", "active_params_b", "specialties"),
    *("context_tokens", "max_output_tokens", "limits", "status", "is_free", "is_callable"),
    *("first_seen", "missing_since", "note", "set_by_admin"),
)


def records(selection: Selection, first: int = 0, most: int | None = None) -> Iterator[Record]:
    """The offers that fit, in the page's order; `most` of them from number `first` on."""
    pairs = ((row, offer) for row in selection.found.models for offer in row.offers)
    end = None if most is None else first + most
    return (_record(row, offer) for row, offer in islice(pairs, first, end))


def _record(row: ModelRow, offer: OfferRow) -> Record:
    return {
        "offer": offer.pk,
        "provider": offer.provider,
        "provider_name": offer.provider_name,
        "terms": offer.traits.tier,
        "model": row.slug,
        "model_name": row.name,
        "external_id": offer.external_id,
        "family": row.family,
        "modality": row.modality,
        "params_b": row.params_b,
        "active_params_b": row.active_params_b,
        "specialties": list(row.specialties),
        "context_tokens": offer.context_tokens,
        "max_output_tokens": offer.max_output_tokens,
        "limits": dict(offer.limits),
        "status": _status(offer),
        "is_free": offer.chosen.is_free is not False,
        "is_callable": offer.is_usable,
        "first_seen": _moment(offer.first_seen),
        "missing_since": _moment(offer.missing_since),
        "note": offer.chosen.note or row.chosen.note,
        "set_by_admin": _set_by_admin(row, offer),
    }


def _status(offer: OfferRow) -> str:
    if offer.is_retired:
        return "retired"
    if offer.missing_since is not None:
        return "missing"
    return "listed" if offer.refused_since is None else "refused"


def _set_by_admin(row: ModelRow, offer: OfferRow) -> Sequence[str]:
    """Which of the fields are not what the provider says."""
    limits = {"limits"} if offer.pinned else set()
    return sorted({*row.chosen.made, *offer.chosen.made} | limits)


def _moment(moment: dt.datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None

"""One provider's list into the catalog, in one transaction, with its history.

Each provider has a transaction of its own: what one list does wrong undoes nothing of another,
the write lock is held for milliseconds, and the page shows progress as lists come in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from catalog import generation
from catalog.diff import Diff, Pair, compare
from catalog.grouping import models_for
from catalog.held import hold, overtake, told
from catalog.leases import release_list
from catalog.models import Change, ChangeKind, Offer, OfferStatus, Provider, Refresh, RefreshResult
from catalog.sources.listed import ListedModel
from catalog.sources.registry import ReadList
from catalog.trust import shrink_of

_RENEWED = ("external_id", "context_tokens", "max_output_tokens", "status", "missing_since")
_BATCH = 200


def apply_list(
    refresh: Refresh, provider: Provider, found: ReadList, duration_s: float
) -> RefreshResult:
    """Add, renew and retire offers as the list says, or hold a list that shrank suspiciously."""
    outcome: dict[str, object] = {"duration_s": duration_s, "odd": dict(found.oddities)}
    with transaction.atomic():
        known = locked_offers(provider)
        shrink = shrink_of(known, found.listed)
        if shrink.is_suspicious:
            held = hold(refresh, provider, found.listed, shrink)
            outcome |= {"listed": len(found.listed), "held": held, "detail": told(held)}
            return _record(refresh, provider, is_ok=False, **outcome)
        overtake(provider)
        diff = compare(known, found.listed, refresh.started_at or refresh.created_at)
        write(provider, diff, refresh)
        return _record(refresh, provider, is_ok=True, **outcome, **_counts(diff))


def locked_offers(provider: Provider) -> list[Offer]:
    """What is known of the provider, which no other writer changes until the transaction ends."""
    Provider.objects.select_for_update().only("pk").get(pk=provider.pk)
    known = list(provider.offers.for_comparing())
    for offer in known:
        offer.provider = provider
    return known


def write(provider: Provider, diff: Diff, refresh: Refresh | None) -> None:
    """Write the offers and the history of what changed; inside the caller's transaction."""
    now = timezone.now()
    changes = _write(provider, diff, now)
    for change in changes:
        change.refresh, change.at = refresh, now
    Change.objects.bulk_create(changes, batch_size=_BATCH)
    Provider.objects.filter(pk=provider.pk).update(refreshed_at=now)
    transaction.on_commit(generation.bump)


def record_failure(
    refresh: Refresh, provider: Provider, detail: str, *, duration_s: float
) -> RefreshResult:
    return _record(refresh, provider, is_ok=False, detail=detail, duration_s=duration_s)


def _record(refresh: Refresh, provider: Provider, **values: object) -> RefreshResult:
    result, _ = RefreshResult.objects.update_or_create(
        refresh=refresh, provider=provider, defaults=values
    )
    release_list(refresh, provider)
    return result


def _counts(diff: Diff) -> dict[str, int]:
    still = len(diff.seen) + len(diff.changed) + len(diff.returned)
    return {
        "listed": still + len(diff.added),
        "added": len(diff.added),
        "returned": len(diff.returned),
        "missing": len(diff.missing),
        "gone": len(diff.gone),
        "changed": len(diff.changed),
    }


def _write(provider: Provider, diff: Diff, now: dt.datetime) -> list[Change]:
    """Write the offers; answer the changes worth telling, not yet saved."""
    changes = _add(provider, diff.added, now)
    kinds = [_kind_of(offer, entry) for offer, entry, _ in diff.changed]
    _renew([*diff.seen, *((offer, entry) for offer, entry, _ in diff.changed)], now)
    told = zip(kinds, diff.changed, strict=True)
    changes += [_change(kind, offer, detail) for kind, (offer, _, detail) in told]
    _renew(diff.returned, now)
    _set([offer for offer, _ in diff.returned], refused_since=None, probe_at=None)
    changes += [_change(ChangeKind.RETURNED, offer) for offer, _ in diff.returned]
    _set(diff.missing, status=OfferStatus.MISSING, missing_since=now, is_listed=False)
    changes += [_change(ChangeKind.MISSING, offer) for offer in diff.missing]
    _set(diff.gone, status=OfferStatus.RETIRED, retired_on=now.date(), is_listed=False)
    changes += [_change(ChangeKind.GONE, offer) for offer in diff.gone]
    return changes


def _kind_of(offer: Offer, entry: ListedModel) -> ChangeKind:
    """Ids are one in any case, so only their spelling can have changed."""
    is_same = entry.external_id == offer.external_id
    return ChangeKind.CHANGED if is_same else ChangeKind.RENAMED


def _add(provider: Provider, entries: Sequence[ListedModel], now: dt.datetime) -> list[Change]:
    models = models_for(entries)
    offers = [
        Offer(
            provider=provider,
            model=model,
            external_id=entry.external_id,
            context_tokens=entry.context_tokens,
            max_output_tokens=entry.max_output_tokens,
            is_listed=True,
            first_seen=now,
            last_seen=now,
        )
        for entry, model in zip(entries, models, strict=True)
    ]
    Offer.objects.bulk_create(offers, batch_size=_BATCH)
    return [_change(ChangeKind.ADDED, offer) for offer in offers]


def _renew(pairs: Sequence[Pair], now: dt.datetime) -> None:
    """What a list says holds; what it leaves unsaid stays as it was."""
    differing = [offer for offer, entry in pairs if _take_over(offer, entry)]
    Offer.objects.bulk_update(differing, _RENEWED, batch_size=_BATCH)
    _set([offer for offer, _ in pairs], is_listed=True, last_seen=now, retired_on=None)


def _set(offers: Sequence[Offer], **values: object) -> None:
    if offers:
        Offer.objects.filter(pk__in=[offer.pk for offer in offers]).update(**values)


def _take_over(offer: Offer, entry: ListedModel) -> bool:
    before = [getattr(offer, name) for name in _RENEWED]
    offer.external_id = entry.external_id
    offer.context_tokens = entry.context_tokens or offer.context_tokens
    offer.max_output_tokens = entry.max_output_tokens or offer.max_output_tokens
    offer.status = OfferStatus.ACTIVE
    offer.missing_since = None
    return before != [getattr(offer, name) for name in _RENEWED]


def _change(kind: ChangeKind, offer: Offer, detail: str = "") -> Change:
    return Change(
        kind=kind,
        provider=offer.provider,
        offer=offer,
        external_id=offer.external_id,
        model_name=offer.model.name,
        detail=detail[:300],
    )

"""What may be called now, kept in each process and renewed soon after the catalog changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from asgiref.sync import sync_to_async

from catalog import generation
from catalog.candidates import Candidate, Pool
from catalog.choices import attach
from catalog.models import CHAT_MODALITIES, Offer, Origin
from catalog.targets import doubts, engine_limits
from gateway.dialects import unable
from gateway.quirks import read_quirks

# The generation is asked for at most this often, so a change is seen well within a second.
_CHECK_EVERY_S = 0.5
# Without Redis there is no generation; with it, what it does not hear of (a key put into the
# environment of another process, a row changed by hand) is seen by age.
_KEEP_WITHOUT_GENERATION_S = 1.0
_KEEP_S = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every offer a call may be sent to, in the order of its id."""

    candidates: tuple[Candidate, ...]
    generation: int | None
    loaded_at: float  # time.monotonic()
    by_offer: Mapping[int, Candidate] = field(repr=False)
    pool: Pool = field(repr=False)

    def of_model(self, slug: str) -> list[Candidate]:
        return [one for one in self.candidates if one.model_slug == slug]


class _Kept:
    """The process' one snapshot; threads of sync views and of the event loop share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._checked_at = 0.0

    def fresh(self) -> Snapshot | None:
        """The snapshot if it was checked a moment ago: no Redis, no database, no lock."""
        kept = self._snapshot
        recent = time.monotonic() - self._checked_at < _CHECK_EVERY_S
        return kept if recent else None

    def renewed(self) -> Snapshot:
        with self._lock:
            return self.fresh() or self._renew()

    def forget(self) -> None:
        self._snapshot, self._checked_at = None, 0.0

    def _renew(self) -> Snapshot:
        now, number = time.monotonic(), generation.current()
        kept = self._snapshot
        if kept is None or _is_stale(kept, number, now):
            kept = self._snapshot = _load(number, now)
        self._checked_at = now
        return kept


def _is_stale(kept: Snapshot, number: int | None, now: float) -> bool:
    age_s = now - kept.loaded_at
    keep_s = _KEEP_WITHOUT_GENERATION_S if number is None else _KEEP_S
    return number != kept.generation or age_s > keep_s


_kept = _Kept()


def snapshot() -> Snapshot:
    """What may be called now; reads the database when the catalog changed."""
    return _kept.fresh() or _kept.renewed()


async def asnapshot() -> Snapshot:
    return _kept.fresh() or await sync_to_async(_kept.renewed)()


def forget() -> None:
    """Load anew next time, whatever the generation says."""
    _kept.forget()


def _load(number: int | None, now: float) -> Snapshot:
    doubt_of = doubts()
    rows = list(
        Offer.objects.active()
        .filter(provider__in=doubt_of, model__modality__in=CHAT_MODALITIES)
        .select_related("provider", "model")
        .order_by("pk")
    )
    attach(rows)
    candidates = tuple(_candidate(row, doubt_of[row.provider_id]) for row in rows)
    return Snapshot(
        candidates=candidates,
        generation=number,
        loaded_at=now,
        by_offer={one.offer_id: one for one in candidates},
        pool=Pool(candidates),
    )


def _candidate(offer: Offer, doubt: str) -> Candidate:
    provider, model = offer.provider, offer.model
    return Candidate(
        offer_id=offer.pk,
        provider_slug=provider.slug,
        provider_name=provider.name,
        model_slug=model.slug,
        model_name=model.shown_name,
        external_id=offer.external_id,
        family=model.family,
        params_b=model.params_b,
        active_params_b=model.active_params_b,
        modality=model.modality,
        specialties=frozenset(model.specialties),
        context_tokens=offer.context_tokens,
        max_output_tokens=offer.max_output_tokens,
        limits=engine_limits(offer),
        pool=provider.pool_for(offer.external_id),
        lacks=unable(provider.chat_dialect, read_quirks(provider.quirks, offer.external_id)),
        is_simulated=provider.origin == Origin.SIMULATOR,
        doubt=doubt,
    )

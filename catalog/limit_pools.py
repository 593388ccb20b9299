"""A provider's quotas as its page shows them: what is known of each, and which offers share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.known_limits import NO_PIN, KnownLimit, Pin, known_limits
from catalog.models import Aspect, Offer, Provider, QuotaScope
from catalog.offers import OfferLine
from gateway.limiter.quota import Level

MOST_NAMED = 8
MOST_POOLS = 12

_TITLES = {
    QuotaScope.PER_MODEL: "Each model",
    QuotaScope.SHARED: "All models together",
    QuotaScope.ACCOUNT: "The whole account",
}


@dataclass(frozen=True, slots=True)
class LimitPool:
    """One quota. `sharing` are the offers that draw on it together, where there are several."""

    title: str
    limits: tuple[KnownLimit, ...]
    offer: Offer | None = None  # whose own quota it is
    sharing: Sequence[Offer] = ()

    @property
    def named(self) -> Sequence[Offer]:
        return self.sharing[:MOST_NAMED]

    @property
    def unnamed_count(self) -> int:
        return max(0, len(self.sharing) - MOST_NAMED)


def limit_pools(provider: Provider, lines: Sequence[OfferLine]) -> list[LimitPool]:
    """The provider's common quota, then those of offers of which more is known than that."""
    if provider.quota_scope == QuotaScope.PER_MODEL:
        common = LimitPool(
            _TITLES[QuotaScope.PER_MODEL],
            known_limits(provider.limits, provider.facts_as_of, pin=_pin(provider)),
        )
        own = [_own_pool(line) for line in lines if line.is_usable or line.offer.limits]
        return [common, *(one for one in own if _tells_more(one))][: MOST_POOLS + 1]
    return [_shared_pool(provider, lines)]


def limits_of(line: OfferLine) -> tuple[KnownLimit, ...]:
    """What is known of the quota that this offer draws on."""
    offer = line.offer
    as_of, pin = offer.provider.facts_as_of, _pin(offer)
    return known_limits(offer.published_limits, as_of, _level(line), pin)


def _pin(subject: Offer | Provider) -> Pin:
    """What admins set of an offer's limits, or of those common to a provider's."""
    provider = subject.provider if isinstance(subject, Offer) else subject
    common = provider.chosen.made.get(Aspect.LIMITS)
    made = subject.chosen.made.get(Aspect.LIMITS, common)
    limits = subject.pinned_limits if isinstance(subject, Offer) else provider.chosen.limits
    return Pin(limits, made.at.date(), made.author) if made and limits else NO_PIN


def _own_pool(line: OfferLine) -> LimitPool:
    return LimitPool(line.offer.model.shown_name, limits_of(line), offer=line.offer)


def _tells_more(pool: LimitPool) -> bool:
    has_own = pool.offer is not None and bool(pool.offer.limits or pool.offer.chosen.limits)
    return has_own or any(one.is_learned for one in pool.limits)


def _shared_pool(provider: Provider, lines: Sequence[OfferLine]) -> LimitPool:
    """With several keys it is the quota of the one that calls would take now."""
    level = next((level for line in lines if (level := _level(line))), None)
    title = provider.pool_name or _TITLES[QuotaScope(provider.quota_scope)]
    sharing = [line.offer for line in lines if not line.is_retired]
    limits = known_limits(provider.limits, provider.facts_as_of, level, _pin(provider))
    return LimitPool(title, limits, sharing=sharing)


def _level(line: OfferLine) -> Level | None:
    return line.live.level if line.live and line.live.is_known else None

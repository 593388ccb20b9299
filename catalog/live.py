"""How offers stand this moment: breakers, keys that rest, what is left of quotas.

The one place where the engine is asked for it. The catalog's pages word it here, the ranking reads
it as a `Standing` (`catalog.standing`), the overview sums it up by provider (`monitoring.health`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync, sync_to_async

from catalog.candidates import Candidate
from catalog.engine import engine
from catalog.keys import UsableKey, usable_keys_of
from catalog.measured import measured
from catalog.models import Provider
from catalog.targets import looking_targets, targets_for
from freellm_site.lib import format as formats
from gateway.limiter.quota import Level, LimitLevel
from gateway.resilience.breaker import BreakerView
from gateway.resilience.breaker_rules import BreakerState
from gateway.types import Limit, Target, Unit, Window

OfferName = tuple[str, str]  # the provider's slug, the offer's id there

# Asking about so many takes a fifth of a second, and no installation of today has more.
_MANY = 500

_UNITS = {Unit.REQUESTS: "", Unit.TOKENS: " tok", Unit.NEURONS: " neurons"}
_SPANS = {
    Window.SECOND: "a s",
    Window.MINUTE: "a min",
    Window.HOUR: "an hour",
    Window.DAY: "a day",
    Window.MONTH: "a month",
}
_ORDER = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)


@dataclass(frozen=True, slots=True)
class Live:
    """How an offer stands through one key. Nothing is known of it while Redis is away."""

    level: Level
    breaker: BreakerView  # the worse of the offer's and its provider's
    refusal: str = ""  # what was said when its key was refused; the key rests since

    @property
    def is_known(self) -> bool:
        return self.level.is_known and self.breaker.state is not None

    @property
    def is_key_refused(self) -> bool:
        return bool(self.refusal)

    @property
    def is_open(self) -> bool:
        return self.breaker.state is BreakerState.OPEN

    @property
    def is_probing(self) -> bool:
        return self.breaker.state is BreakerState.HALF_OPEN

    @property
    def retry_in_s(self) -> float:
        return self.breaker.retry_in_s

    @property
    def rests_for_s(self) -> float:
        """How long its quota rests since it refused a call."""
        return self.level.blocked_for_s

    @property
    def tightest(self) -> LimitLevel | None:
        """None where no limit is published. Of equally full windows the longest says most."""
        return min(
            self.level.limits,
            key=lambda one: (one.fraction_left, -one.limit.window.seconds, one.limit.unit),
            default=None,
        )

    @property
    def is_used_up(self) -> bool:
        return self.left == 0

    @property
    def left(self) -> float | None:
        """The share that is left of the tightest quota; None where it is not known."""
        if self.rests_for_s:
            return 0.0
        return self.tightest.fraction_left if self.is_known and self.tightest else None

    @property
    def figure(self) -> str:
        """“812 a day”, “7.9k tok a min”: what stands beside the meter."""
        if self.rests_for_s:
            return f"rests {formats.seconds(self.rests_for_s)}"
        if self.tightest is None:
            return ""
        left = formats.quantity(self.tightest.left, short=True)
        return f"{left}{_UNITS[self.tightest.limit.unit]} {_SPANS[self.tightest.limit.window]}"

    @property
    def words(self) -> str:
        """“812 of 1k requests a day left”, and when there will be more."""
        if self.rests_for_s:
            return f"It refused a call and rests for {formats.seconds(self.rests_for_s)}"
        if self.tightest is None:
            return ""
        limit, left = self.tightest.limit, formats.quantity(self.tightest.left, short=True)
        of = f"{left} of {formats.quantity(limit.amount, short=True)} {limit.unit}"
        told = f"{of} {_SPANS[limit.window]} left"
        if self.tightest.left == limit.amount:
            return told
        return f"{told}, all of it again in {formats.seconds(self.tightest.resets_in_s)}"

    @property
    def rank(self) -> tuple[bool, bool, bool, float]:
        """In the order of trying: what answers first, then by what is left."""
        return self.is_key_refused, self.is_open, self.is_used_up, -(self.left or 0.0)


def live_of(offers: Mapping[int, OfferName]) -> dict[int, Live]:
    """By the offers' ids; those that no call can be sent to are left out.

    Costs a page one trip to Redis. While Redis is away nothing is known of any of them.
    """
    return async_to_sync(read_offers)(offers) if offers else {}


@dataclass(frozen=True, slots=True)
class Look:
    """An offer to look at, with all that its quota and breaker are known by."""

    provider: Provider
    external_id: str
    limits: tuple[Limit, ...]
    keys: Sequence[UsableKey] = field(repr=False)


def look_at(looks: Mapping[int, Look]) -> dict[int, Live]:
    """As `live_of`, of offers at hand that are known to be callable: without a query."""
    if not looks:
        return {}
    targets = {
        pk: looking_targets(one.provider, one.external_id, one.limits, one.keys)
        for pk, one in looks.items()
    }
    found = async_to_sync(read)([target for group in targets.values() for target in group])
    bests = {pk: best_of(found[one] for one in group) for pk, group in targets.items()}
    return {pk: live for pk, live in bests.items() if live is not None}


def best_of(found: Iterable[Live]) -> Live | None:
    return min(found, key=lambda one: one.rank, default=None)


async def read(targets: Sequence[Target]) -> dict[Target, Live]:
    """How each target stands; all that is asked goes to Redis together."""
    pairs = [pair for one in targets for pair in _pairs(one)]
    async with engine() as gateway:
        levels, breakers, rests = await asyncio.gather(
            gateway.levels(targets), gateway.breaker_states(pairs), gateway.key_rests(targets)
        )
    return {
        one: Live(
            levels[one],
            worse(*(breakers[pair] for pair in _pairs(one))),
            rests.get(one, ""),
        )
        for one in targets
    }


async def read_offers(offers: Mapping[int, OfferName]) -> dict[int, Live]:
    """As `live_of`, from a coroutine."""
    targets = await targets_for(list(offers))
    found = await read(targets)
    by_name: dict[OfferName, list[Live]] = defaultdict(list)
    for one in targets:
        by_name[one.provider, one.model].append(found[one])
    # An offer with several keys stands as its best key does.
    bests = {pk: best_of(by_name.get(name, ())) for pk, name in offers.items()}
    return {pk: live for pk, live in bests.items() if live is not None}


async def read_candidates(candidates: Sequence[Candidate]) -> dict[str, dict[Target, Live]]:
    """How every target of these offers stands, by the provider's slug.

    Of very many, those that nobody called for a week are not asked about one by one: they stand
    as one of them does that has the same limits with the same key.
    """
    targets = await sync_to_async(looks)(candidates)
    stand_in = await sync_to_async(_stand_ins)(targets) if len(targets) > _MANY else {}
    asked = [one for one in targets if one not in stand_in]
    found = await read(asked) if asked else {}
    by_provider: dict[str, dict[Target, Live]] = defaultdict(dict)
    for target in targets:
        by_provider[target.provider][target] = found[stand_in.get(target, target)]
    return by_provider


def _stand_ins(targets: Sequence[Target]) -> dict[Target, Target]:
    """For each target that nobody called lately, but for the first of its like, that first one."""
    called = measured()
    firsts: dict[tuple[str, str, tuple[Limit, ...]], Target] = {}
    found = {}
    for one in targets:
        if (one.provider, one.model) in called:
            continue
        first = firsts.setdefault((one.provider, one.key_id, one.limits), one)
        if first is not one:
            found[one] = first
    return found


def looks(candidates: Sequence[Candidate]) -> list[Target]:
    """For looking only: no address is made out, for there may be thousands."""
    slugs = {one.provider_slug for one in candidates}
    providers = Provider.objects.filter(slug__in=slugs)
    keys = usable_keys_of(providers)
    keys_of = {one.slug: keys[one.pk] if one.needs_key else [None] for one in providers}
    return [
        Target(
            provider=one.provider_slug,
            model=one.external_id,
            base_url="",
            key=key.secret if key else None,
            key_id=key.key_id if key else "none",
            pool=one.pool,
            limits=one.limits,
        )
        for one in candidates
        for key in keys_of.get(one.provider_slug, ())
    ]


def worse(*breakers: BreakerView) -> BreakerView:
    """The one that holds where several must let a call through; unknown where any is."""
    return max(breakers, key=lambda one: (one.state is None, gravity(one)))


def gravity(breaker: BreakerView) -> tuple[int, float]:
    return _ORDER.index(breaker.state or BreakerState.CLOSED), breaker.retry_in_s


def _pairs(target: Target) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return (target.provider, target.model), (target.provider, None)

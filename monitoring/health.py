"""How each provider stands now: does it answer, and what is left of its quota."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from asgiref.sync import async_to_sync

from catalog.engine import engine
from catalog.keys import usable_keys_of
from catalog.models import Provider
from catalog.snapshot import snapshot
from freellm_site.lib import format as formats
from gateway.limiter.quota import Level, LimitLevel
from gateway.resilience.breaker import BreakerView
from gateway.resilience.breaker_rules import BreakerState
from gateway.types import Limit, Target, Unit, Window

_ALMOST_OUT = 0.2  # where meters turn amber


class State(StrEnum):
    """What a provider does with a call now."""

    ANSWERS = "answers"
    PROBING = "probing"
    WAITING = "waiting"  # every quota is used up for the moment
    REFUSING = "refusing"  # its breaker is open
    UNKNOWN = "unknown"  # Redis is away


_GLYPHS = {
    State.ANSWERS: "full",
    State.PROBING: "half",
    State.WAITING: "half",
    State.REFUSING: "hollow",
    State.UNKNOWN: "unknown",
}
_WORDS = {
    State.ANSWERS: "Answers",
    State.PROBING: "Half-open",
    State.WAITING: "Used up",
    State.REFUSING: "Open",
    State.UNKNOWN: "Not known",
}
_GRAVITY = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
_TONES = {State.PROBING: "warn", State.WAITING: "warn", State.REFUSING: "bad"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """What is left of one dimension, over all pools of a provider: the same unit throughout."""

    limit: Limit
    left: int
    amount: int
    full_in_s: float

    @property
    def fraction(self) -> float:
        return self.left / self.amount if self.amount else 0.0

    @property
    def kind(self) -> str:
        if self.left == 0:
            return "out"
        return "low" if self.fraction < _ALMOST_OUT else ""

    @property
    def unit(self) -> str:
        return {Unit.REQUESTS: "req", Unit.TOKENS: "tok", Unit.NEURONS: "neurons"}[self.limit.unit]

    @property
    def span(self) -> str:
        return {Window.HOUR: "an hour"}.get(self.limit.window, f"a {self.limit.window}")


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    slug: str
    name: str
    is_simulated: bool
    state: State
    quantity: Quantity | None  # None: nothing is published, nothing was reported
    wait_s: float = 0.0  # until it may answer again, where that is known
    reason: str = ""  # what opened its breaker

    @property
    def surface_y(self) -> float | None:
        """Where the level stands in a tank 48 high; None where there is nothing left to draw."""
        if self.quantity is None:
            return 1.0  # hatched to the brim: how full it is, is not known
        return round(46 * (1 - self.quantity.fraction) + 1, 1) if self.quantity.left else None

    @property
    def second_line(self) -> str:
        """Below the level: when there will be more, or per which time it counts."""
        if self.wait_s and not self.answers_now:
            return f"again in {formats.seconds(self.wait_s)}"
        if self.quantity is None:
            return "counted here"
        return self.quantity.span

    @property
    def answers_now(self) -> bool:
        return self.state in (State.ANSWERS, State.PROBING)

    @property
    def glyph(self) -> str:
        return _GLYPHS[self.state]

    @property
    def word(self) -> str:
        return _WORDS[self.state]

    @property
    def tone(self) -> str:
        return _TONES.get(self.state, "ok" if self.state is State.ANSWERS else "idle")


def provider_healths() -> list[ProviderHealth]:
    """Every provider that a call may be sent to, by name; one round trip to Redis for each kind."""
    targets = _targets()
    names = dict(Provider.objects.filter(slug__in=targets).values_list("slug", "name"))
    simulated = {one.provider_slug for one in snapshot().candidates if one.is_simulated}
    if not targets:
        return []
    levels, breakers = async_to_sync(_ask)([one for row in targets.values() for one in row])
    return sorted(
        (
            health_of(names.get(slug, slug), row, levels, breakers, is_simulated=slug in simulated)
            for slug, row in targets.items()
        ),
        key=lambda health: health.name.casefold(),
    )


def _targets() -> dict[str, list[Target]]:
    """For reading levels only: without secrets, and no address is looked up."""
    candidates = snapshot().candidates
    slugs = {one.provider_slug for one in candidates}
    providers = {one.slug: one for one in Provider.objects.filter(slug__in=slugs)}
    key_ids = _key_ids(providers.values())
    targets: dict[str, list[Target]] = defaultdict(list)
    for one in candidates:
        targets[one.provider_slug] += [
            Target(
                provider=one.provider_slug,
                model=one.external_id,
                base_url="",
                key_id=key_id,
                pool=one.pool,
                limits=one.limits,
            )
            for key_id in key_ids.get(one.provider_slug, ())
        ]
    return {slug: row for slug, row in targets.items() if row}


def _key_ids(providers: Collection[Provider]) -> dict[str, list[str]]:
    keys = usable_keys_of(providers)
    return {
        one.slug: [key.key_id for key in keys[one.pk]] if one.needs_key else ["none"]
        for one in providers
    }


async def _ask(
    targets: Sequence[Target],
) -> tuple[Mapping[Target, Level], Mapping[tuple[str, str | None], BreakerView]]:
    pairs: list[tuple[str, str | None]] = [(one.provider, one.model) for one in targets]
    pairs += [(one.provider, None) for one in targets]
    async with engine() as gateway:
        return await gateway.levels(targets), await gateway.breaker_states(pairs)


def health_of(
    name: str,
    targets: Sequence[Target],
    levels: Mapping[Target, Level],
    breakers: Mapping[tuple[str, str | None], BreakerView],
    *,
    is_simulated: bool,
) -> ProviderHealth:
    slug = targets[0].provider
    offers = [breakers[slug, one.model] for one in targets]
    known = [levels[one] for one, view in zip(targets, offers, strict=True) if not _is_open(view)]
    # A provider is as well as the best of its offers, unless its own breaker knows worse.
    decisive = max(breakers[slug, None], min(offers, key=_gravity), key=_gravity)
    state, wait_s = _state(decisive, known)
    return ProviderHealth(
        slug=slug,
        name=name,
        is_simulated=is_simulated,
        state=state,
        quantity=tightest(targets, levels),
        wait_s=wait_s,
        reason=decisive.reason if state is State.REFUSING else "",
    )


def _is_open(view: BreakerView) -> bool:
    return view.state is BreakerState.OPEN


def _gravity(view: BreakerView) -> tuple[int, float]:
    return (_GRAVITY.index(view.state or BreakerState.CLOSED), view.retry_in_s)


def _state(breaker: BreakerView, levels: Sequence[Level]) -> tuple[State, float]:
    """The state, and for how long it lasts where that is known."""
    if breaker.state is None:
        return State.UNKNOWN, 0.0
    if _is_open(breaker):
        return State.REFUSING, breaker.retry_in_s
    waits = [level.wait_s for level in levels if level.wait_s is not None]
    if not waits or min(waits) > 0:
        return State.WAITING, min(waits, default=0.0)
    return (State.PROBING if breaker.state is BreakerState.HALF_OPEN else State.ANSWERS), 0.0


def tightest(targets: Iterable[Target], levels: Mapping[Target, Level]) -> Quantity | None:
    """The dimension with the smallest share left, each summed over the provider's pools.

    Where several are equally full, the longest window says most. A second's window is over
    before it is read, so it speaks only where there is no other.
    """
    pools: dict[tuple[str, str, Limit], LimitLevel] = {}
    for target in targets:
        for one in levels[target].limits:
            pools[target.key_id, target.pool, one.limit] = one
    by_dimension: dict[tuple[Unit, Window], list[LimitLevel]] = defaultdict(list)
    for level in pools.values():
        by_dimension[level.limit.unit, level.limit.window].append(level)
    quantities = [_summed(row) for row in by_dimension.values()]
    return min(
        quantities,
        key=lambda one: (
            one.limit.window is Window.SECOND,
            one.fraction,
            -one.limit.window.seconds,
            one.limit.unit,
        ),
        default=None,
    )


def _summed(levels: Sequence[LimitLevel]) -> Quantity:
    return Quantity(
        limit=levels[0].limit,
        left=sum(one.left for one in levels),
        amount=sum(one.amount for one in levels),
        full_in_s=max(one.resets_in_s for one in levels),
    )

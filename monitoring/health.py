"""How each provider stands now: does it answer, and what is left of its quota."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from asgiref.sync import async_to_sync

from catalog.candidates import Candidate
from catalog.live import Live, gravity, read_candidates
from catalog.snapshot import snapshot
from freellm_site.lib import format as formats
from gateway.limiter.quota import LimitLevel
from gateway.types import Limit, Target, Unit, Window

_ALMOST_OUT = 0.2  # where meters turn amber


class State(StrEnum):
    """What a provider does with a call now."""

    ANSWERS = "answers"
    PROBING = "probing"
    WAITING = "waiting"  # every quota is used up for the moment
    REFUSING = "refusing"  # its breaker is open, or a check found it down
    KEY_REFUSED = "key refused"
    UNKNOWN = "unknown"  # Redis is away


_GLYPHS = {
    State.ANSWERS: "full",
    State.PROBING: "half",
    State.WAITING: "half",
    State.REFUSING: "hollow",
    State.KEY_REFUSED: "hollow",
    State.UNKNOWN: "unknown",
}
_WORDS = {
    State.ANSWERS: "Answers",
    State.PROBING: "Half-open",
    State.WAITING: "Used up",
    State.REFUSING: "Open",
    State.KEY_REFUSED: "Key refused",
    State.UNKNOWN: "Not known",
}
_TONES = {
    State.PROBING: "warn",
    State.WAITING: "warn",
    State.REFUSING: "bad",
    State.KEY_REFUSED: "bad",
}


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
    reason: str = ""  # what opened its breaker, or was said of its key

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
    candidates = snapshot().candidates
    if not candidates:
        return []
    some_offer = {one.provider_slug: one for one in candidates}
    found = async_to_sync(read_candidates)(candidates)
    return sorted(
        (health_of(some_offer[slug], lives) for slug, lives in found.items()),
        key=lambda health: health.name.casefold(),
    )


def health_of(offer: Candidate, lives: Mapping[Target, Live]) -> ProviderHealth:
    """The provider of `offer`, by how all its targets stand."""
    state, wait_s, reason = _state(offer, list(lives.values()))
    return ProviderHealth(
        slug=offer.provider_slug,
        name=offer.provider_name,
        is_simulated=offer.is_simulated,
        state=state,
        quantity=tightest(lives),
        wait_s=wait_s,
        reason=reason,
    )


def _state(offer: Candidate, lives: Sequence[Live]) -> tuple[State, float, str]:
    """The state, for how long it lasts where that is known, and why where it is bad.

    A provider is as well as the best of its offers.
    """
    if offer.doubt:
        return State.REFUSING, 0.0, f"{offer.doubt}, as the check of its key found."
    accepted = [one for one in lives if not one.is_key_refused]
    if not accepted:
        return State.KEY_REFUSED, 0.0, lives[0].refusal
    best = min(accepted, key=lambda one: gravity(one.breaker)).breaker
    if best.state is None:
        return State.UNKNOWN, 0.0, ""
    going = [one for one in accepted if not one.is_open]
    if not going:
        return State.REFUSING, best.retry_in_s, best.reason
    waits = [one.level.wait_s for one in going if one.level.wait_s is not None]
    if not waits or min(waits) > 0:
        return State.WAITING, min(waits, default=0.0), ""
    is_probing = all(one.is_probing for one in going)
    return (State.PROBING if is_probing else State.ANSWERS), 0.0, ""


def tightest(lives: Mapping[Target, Live]) -> Quantity | None:
    """The dimension with the smallest share left, each summed over the provider's pools.

    Where several are equally full, the longest window says most. A second's window is over
    before it is read, so it speaks only where there is no other.
    """
    pools: dict[tuple[str, str, Limit], LimitLevel] = {}
    for target, live in lives.items():
        for one in live.level.limits:
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

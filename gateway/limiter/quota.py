"""What a quota is to the limiter: a pool's windows, what a call costs in each, what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from gateway import keys
from gateway.limiter.calendar import edges_us
from gateway.limiter.window import Calendar, Window
from gateway.limits import parse_limits
from gateway.policy import LimitsPolicy, Policy
from gateway.types import LIMIT_NAMES, Limit, LimitHeader, Target, Unit
from gateway.types import Window as Span


@dataclass(frozen=True, slots=True)
class SaidRules:
    """How much of a limit is used at most, and whether limits named in answers count."""

    most_share: float = 1.0
    is_heard: bool = True

    @property
    def tail(self) -> str:
        """At the end of a window's span; lua/window.lua reads it."""
        share = f"@{self.most_share!r}" if self.most_share < 1 else ""
        return self.unheard_tail + share

    @property
    def unheard_tail(self) -> str:
        return "" if self.is_heard else "!"


@dataclass(frozen=True, slots=True)
class Quota:
    """The windows of one (provider, key, pool), and their keys; all in one hash slot.

    `unknown` is a limit of which nobody has published how much it is; its amount is the most that
    is ever let through. Limits of `UNSAID` are named by the answers' headers only.
    """

    provider: str
    key_id: str
    pool: str
    limits: tuple[Limit, ...]
    unknown: Limit | None = None
    pinned: frozenset[Limit] = frozenset()  # set by hand; nothing a provider says changes them
    rules: SaidRules = SaidRules()

    keys: tuple[str, ...] = field(init=False, compare=False)  # the state's, then each window's
    _rolling: tuple[str, ...] = field(init=False, compare=False, repr=False)
    _has_calendar: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        who = (self.provider, self.key_id, self.pool)
        names = (keys.quota_window(*who, _key_name(one)) for one in self.limits)
        object.__setattr__(self, "keys", (keys.quota_state(*who), *names))
        rolling = tuple(_rolling_spec(one) + self._tail(one) for one in self.limits)
        object.__setattr__(self, "_rolling", rolling)
        has_calendar = any(edges_us(one, _ANY_TIME_US) for one in self.limits)
        object.__setattr__(self, "_has_calendar", has_calendar)

    @classmethod
    def of(cls, target: Target, policy: Policy) -> Quota:
        who, limiter = (target.provider, target.key_id, target.pool), policy.limiter
        rules = SaidRules(limiter.most_share, is_heard=bool(limiter.header_feedback))
        if not target.hides_limits:
            return _quota(who, target.limits, policy.limits, rules)
        most, headers = limiter.unknown_most, target.limit_headers
        return _quota(who, target.limits, policy.limits, rules, most, headers)

    def costs(self, prompt_tokens: int, completion_tokens: int) -> tuple[int, ...]:
        """What a call takes from each window.

        What the answer may take is held to what the window has: a wish for a long answer must
        not make a call impossible whose prompt fits.
        """
        return tuple(_cost(one, prompt_tokens, completion_tokens) for one in self.limits)

    def specs(self, now_us: int, unknown_start: int) -> tuple[str, ...]:
        """The windows' spans as the scripts read them; `now_us` is this machine's time."""
        if self.unknown is None and not self._has_calendar:
            return self._rolling
        return tuple(
            self._spec(one, rolling, now_us, unknown_start)
            for one, rolling in zip(self.limits, self._rolling, strict=True)
        )

    def _spec(self, limit: Limit, rolling: str, now_us: int, unknown_start: int) -> str:
        if limit is self.unknown:
            return f"{_rolling_spec(limit)}{unknown_start}{self._tail(limit)}"
        edges = edges_us(limit, now_us)
        return Calendar(limit.amount, edges).spec + self._tail(limit) if edges else rolling

    def _tail(self, limit: Limit) -> str:
        """How the scripts bring this limit and what a provider says of it together."""
        if limit in self.pinned:
            return "!"
        return self.rules.unheard_tail if limit is self.unknown else self.rules.tail


@lru_cache(maxsize=10_000)
def _quota(  # noqa: PLR0917 - all that makes a quota, to be kept by
    who: tuple[str, str, str],
    published: tuple[Limit, ...],
    by_hand: LimitsPolicy,
    rules: SaidRules,
    unknown_most: int = 0,
    limit_headers: tuple[LimitHeader, ...] = (),
) -> Quota:
    limits, pinned = _pinned(published, by_hand.pinned)
    known = {(one.unit, one.window) for one in limits}
    unsaid = tuple(
        Limit(unit, window, UNSAID)
        for unit, window in sorted(set(LIMIT_NAMES.values()) - known)
        if any(one.meaning == f"limit {unit}/{window}" for one in limit_headers)
    )
    per_minute = (Unit.REQUESTS, Span.MINUTE)
    is_paced = any(one.window.seconds <= _SHORT_S for one in limits)
    if not unknown_most or is_paced:
        return Quota(*who, limits + unsaid, None, pinned, rules)
    unknown = Limit(*per_minute, unknown_most)
    others = tuple(one for one in unsaid if (one.unit, one.window) != per_minute)
    return Quota(*who, (*limits, unknown, *others), unknown, pinned, rules)


def _pinned(
    published: tuple[Limit, ...], by_hand: Mapping[str, int]
) -> tuple[tuple[Limit, ...], frozenset[Limit]]:
    """The limits with those set by hand in their place, and which these are."""
    resets = {str(one.window): one.resets_in for one in published}
    set_ = {one.name: one for one in parse_limits(by_hand, resets)}
    limits = tuple(set_.get(one.name, one) for one in published)
    added = tuple(one for name, one in set_.items() if one not in limits)
    return limits + added, frozenset(set_.values()) | {one for one in limits if one.is_pinned}


UNSAID = 1_000_000_000  # as lua/limits.lua has it
_SHORT_S = Span.MINUTE.seconds
_ANY_TIME_US = 1_800_000_000_000_000


def _key_name(limit: Limit) -> str:
    """Slots of a calendar are other numbers than those of a rolling window."""
    return f"{limit.name}-calendar" if edges_us(limit, _ANY_TIME_US) else limit.name


def _rolling_spec(limit: Limit) -> str:
    """Requests of a minute or less rise slowly after a rest; tokens follow them."""
    warms = limit.unit is Unit.REQUESTS and limit.window.seconds <= _SHORT_S
    return Window.of(limit).spec + ("w" if warms else "")


def _cost(limit: Limit, prompt_tokens: int, completion_tokens: int) -> int:
    if limit.unit is not Unit.TOKENS:
        return 1  # neurons are known after the answer only
    return max(prompt_tokens, min(prompt_tokens + completion_tokens, limit.amount))


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was taken for one call; to be settled or cancelled exactly once."""

    quota: Quota
    costs: tuple[int, ...]
    at_us: int
    model: str = ""  # whose policy settles it
    is_local: bool = False  # taken while Redis was away


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider said of one window; `amount` is the limit itself."""

    remaining: int | None = None
    reset_us: int | None = None
    amount: int | None = None


class Refusal(StrEnum):
    """What a refusal was for, as far as it is known."""

    NONE = "none"
    SOME_LIMIT = "some limit"
    LONG_LIMIT = "the limit of a day or more"


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call came out. `tokens` is None where the estimate must stand.

    `refused` names the limit that was broken where that is known.
    """

    tokens: int | None = None
    neurons: int | None = None
    block_s: float = 0.0
    readings: Mapping[Limit, Reading] = field(default_factory=dict)
    refused: Refusal | Limit = Refusal.NONE
    is_answered: bool = False

    def real_cost(self, limit: Limit, reserved: int) -> int:
        said = {Unit.TOKENS: self.tokens, Unit.NEURONS: self.neurons}.get(limit.unit)
        return reserved if said is None else said


class LimitSource(StrEnum):
    """How it is known how much a limit is."""

    PUBLISHED = "published"  # by the provider, for everybody
    PINNED = "pinned"  # set by hand, in the tuning or the catalog
    HEADERS = "headers"  # named in an answer to us, in headers or in a refusal's body
    MEASURED = "measured"  # by what was let through and what was refused
    ASSUMED = "assumed"  # nobody has said; nothing was measured yet


@dataclass(frozen=True, slots=True)
class Learned:
    """An amount that nobody published, and how long ago it was learned."""

    amount: int
    s_ago: float


@dataclass(frozen=True, slots=True)
class LimitLevel:
    """How full one window is. `wait_s` is until one more unit fits, None: never.

    `amount` is what holds now, `limit.amount` what was published; `learned_s_ago` is None where
    nothing was learned. `said` is what a header named, though something measured may hold instead.
    """

    limit: Limit
    left: int
    resets_in_s: float
    wait_s: float | None
    held_amount: int | None = None  # None: as published
    source: LimitSource = LimitSource.PUBLISHED
    learned_s_ago: float | None = None
    said: Learned | None = None

    @property
    def measured(self) -> Learned | None:
        if self.source is not LimitSource.MEASURED or self.learned_s_ago is None:
            return None
        return Learned(self.amount, self.learned_s_ago)

    @property
    def amount(self) -> int:
        return self.limit.amount if self.held_amount is None else self.held_amount

    @property
    def fraction_left(self) -> float:
        return self.left / self.amount if self.amount else 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """How much of a target's quota is left; `is_known` is False while Redis is away.

    `assumed` are limits of which nothing is known but that there must be one: kept to, but no
    figures to show as facts.
    """

    limits: tuple[LimitLevel, ...] = ()
    blocked_for_s: float = 0.0
    is_known: bool = True
    assumed: tuple[LimitLevel, ...] = ()

    @property
    def wait_s(self) -> float | None:
        """Until a call may go out, as far as requests are counted; None: never."""
        waits = [one.wait_s for one in (*self.limits, *self.assumed)]
        if any(wait is None for wait in waits):
            return None
        return max([self.blocked_for_s, *(wait for wait in waits if wait is not None)])


@lru_cache(maxsize=10_000)  # the same few limits in every call
def windows(limits: tuple[Limit, ...], share: float = 1.0) -> tuple[Window, ...]:
    """The limits' windows, all rolling; with a share, that part of each, but one where any is."""
    made = tuple(Window.of(one) for one in limits)
    if share == 1.0:
        return made
    return tuple(
        Window(min(w.amount, max(1, int(w.amount * share))), w.slot_us, w.slots) for w in made
    )

"""What a quota is to the limiter: a pool's windows, what a call costs in each, what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from gateway import keys
from gateway.limiter.window import Window
from gateway.types import Limit, Target, Unit


@dataclass(frozen=True, slots=True)
class Quota:
    """The windows of one (provider, key, pool), and their keys; all in one hash slot."""

    provider: str
    key_id: str
    pool: str
    limits: tuple[Limit, ...]

    keys: tuple[str, ...] = field(init=False, compare=False)  # the block's, then each window's

    def __post_init__(self) -> None:
        who = (self.provider, self.key_id, self.pool)
        names = (keys.quota_window(*who, one.name) for one in self.limits)
        object.__setattr__(self, "keys", (keys.quota_block(*who), *names))

    @classmethod
    def of(cls, target: Target) -> Quota:
        return cls(target.provider, target.key_id, target.pool, target.limits)

    def costs(self, prompt_tokens: int, completion_tokens: int) -> tuple[int, ...]:
        """What a call takes from each window.

        What the answer may take is held to what the window has: a wish for a long answer must
        not make a call impossible whose prompt fits.
        """
        return tuple(_cost(one, prompt_tokens, completion_tokens) for one in self.limits)


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
    is_local: bool = False  # taken while Redis was away


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider said of one window."""

    remaining: int | None = None
    reset_us: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call came out. `tokens` is None where the estimate must stand."""

    tokens: int | None = None
    neurons: int | None = None
    block_s: float = 0.0
    readings: Mapping[Limit, Reading] = field(default_factory=dict)

    def real_cost(self, limit: Limit, reserved: int) -> int:
        said = {Unit.TOKENS: self.tokens, Unit.NEURONS: self.neurons}.get(limit.unit)
        return reserved if said is None else said


@dataclass(frozen=True, slots=True)
class LimitLevel:
    """How full one window is. `wait_s` is until one more unit fits, None: never."""

    limit: Limit
    left: int
    resets_in_s: float
    wait_s: float | None

    @property
    def amount(self) -> int:
        return self.limit.amount

    @property
    def fraction_left(self) -> float:
        return self.left / self.amount if self.amount else 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """How much of a target's quota is left; `is_known` is False while Redis is away."""

    limits: tuple[LimitLevel, ...] = ()
    blocked_for_s: float = 0.0
    is_known: bool = True

    @property
    def wait_s(self) -> float | None:
        """Until a call may go out, as far as requests are counted; None: never."""
        waits = [one.wait_s for one in self.limits]
        if any(wait is None for wait in waits):
            return None
        return max([self.blocked_for_s, *(wait for wait in waits if wait is not None)])


@lru_cache(maxsize=10_000)  # the same few limits in every call
def windows(limits: tuple[Limit, ...], share: float = 1.0) -> tuple[Window, ...]:
    """The limits' windows; with a share, that part of each, but one where there is any."""
    made = tuple(Window.of(one) for one in limits)
    if share == 1.0:
        return made
    return tuple(
        Window(min(w.amount, max(1, int(w.amount * share))), w.slot_us, w.slots) for w in made
    )

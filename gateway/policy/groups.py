"""The whole policy: one frozen value, so that what a call has read does not change under it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation

from gateway.policy.breaker import BreakerPolicy
from gateway.policy.cache import CachePolicy
from gateway.policy.dispatch import DispatchPolicy
from gateway.policy.fields import YES_OR_NO, Group, Reach
from gateway.policy.lifetimes import LifetimePolicy
from gateway.policy.limiter import LimiterPolicy
from gateway.policy.limits import LimitsPolicy
from gateway.policy.ranking import RankingPolicy
from gateway.policy.retry import RetryPolicy
from gateway.policy.timeouts import TimeoutPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    limits: LimitsPolicy = field(default_factory=LimitsPolicy)
    limiter: LimiterPolicy = field(default_factory=LimiterPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: TimeoutPolicy = field(default_factory=TimeoutPolicy)
    dispatch: DispatchPolicy = field(default_factory=DispatchPolicy)
    cache: CachePolicy = field(default_factory=CachePolicy)
    lifetimes: LifetimePolicy = field(default_factory=LifetimePolicy)
    ranking: RankingPolicy = field(default_factory=RankingPolicy)

    def value(self, name: str) -> float:
        """Of a field by its full name, such as "limiter.max_wait_s"."""
        group, _, one = name.partition(".")
        value: float = getattr(getattr(self, group), one)
        return value

    def changed(self, values: Mapping[str, float]) -> Policy:
        """With `values` by full name, such as {"limiter.max_wait_s": 3}, in place of its own.

        Raises ValueError naming the field that is unknown or out of its bounds.
        """
        by_group: dict[str, dict[str, float]] = {}
        for name, value in values.items():
            if name not in TUNABLES:
                raise ValueError(f"{name} is no field of the policy")
            group, _, one = name.partition(".")
            is_whole = (
                TUNABLES[name].kind is int and isinstance(value, float) and value.is_integer()
            )
            by_group.setdefault(group, {})[one] = int(value) if is_whole else value
        groups = {
            group: replace(getattr(self, group), **changes) for group, changes in by_group.items()
        }
        return replace(self, **groups)


# How a field's unit is told to people: by which word, and how many of it are one of the field's.
_SHOWN = {"fraction": ("%", Decimal(100)), "bytes": ("MB", Decimal("1e-6"))}


@dataclass(frozen=True, slots=True)
class Tunable:
    """One field as a page or a form needs it."""

    group: str
    name: str
    kind: type[int | float]
    default: float
    label: str
    unit: str
    minimum: float
    maximum: float
    help: str
    reach: Reach
    zero: str = ""

    @property
    def is_yes_or_no(self) -> bool:
        return self.unit == YES_OR_NO

    @property
    def shown_unit(self) -> str:
        """What a person reads beside the value: a fraction is told in per cent."""
        return _SHOWN.get(self.unit, (self.unit,))[0]

    def typed(self, value: float) -> float:
        """5.0 calls are 5 calls; what is not whole stays, to be refused with its bounds."""
        is_whole = isinstance(value, float) and value.is_integer()
        return int(value) if self.kind is int and is_whole else value

    def shown(self, value: float) -> str:
        """As a person types it, without the unit."""
        if self.is_yes_or_no:
            return "yes" if value else "no"
        return f"{(Decimal(repr(value)) * self._factor).normalize():f}"

    def told(self, value: float) -> str:
        """With its unit, for a sentence."""
        if value == 0 and self.zero:
            return self.zero
        is_bare = self.is_yes_or_no
        return self.shown(value) if is_bare else f"{self.shown(value)}\u00a0{self.shown_unit}"

    def read(self, text: str) -> float:
        """What a person typed; raises ValueError in words where it cannot be a value."""
        if self.is_yes_or_no and text.casefold() in ("yes", "no"):
            return int(text.casefold() == "yes")
        plain = re.sub(r"[\s_'\u00a0\u202f]", "", text).replace(",", ".")
        try:
            number = Decimal(plain)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number) > _UNTHINKABLE:
            wanted = "yes or no" if self.is_yes_or_no else f"a number of {self.shown_unit}"
            raise ValueError(f"“{text[:40]}” is not {wanted}.")
        value = self.typed(float(number / self._factor))
        if problem := self.problem_with(value):
            raise ValueError(problem)
        return value

    def problem_with(self, value: object) -> str:
        """Why this cannot be its value, in words; "" where it can."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and math.isfinite(value) and self.minimum <= value <= self.maximum):  # type: ignore[arg-type,operator]  # a number by then
            bounds = f"{self.shown(self.minimum)} and {self.told(self.maximum)}"
            return f"“{self.label}” must lie between {bounds}."
        if self.kind is int and value != int(value):  # type: ignore[call-overload]  # likewise
            return f"“{self.label}” must be a whole number of {self.unit}."
        return ""

    @property
    def _factor(self) -> Decimal:
        return _SHOWN[self.unit][1] if self.unit in _SHOWN else Decimal(1)


_UNTHINKABLE = Decimal("1e18")


def _groups() -> Mapping[str, type[Group]]:
    default = Policy()
    return {group.name: type(getattr(default, group.name)) for group in fields(default)}


# The groups by their names, in the order of a page.
GROUPS = _groups()


def _tunables() -> Mapping[str, Tunable]:
    default = Policy()
    return {
        f"{group}.{one.name}": Tunable(
            group=group,
            name=one.name,
            kind=int if isinstance(one.default, int) else float,
            default=default.value(f"{group}.{one.name}"),
            **one.metadata,
        )
        for group, kind in GROUPS.items()
        for one in fields(kind)
    }


# Every tunable by its full name, such as "limiter.max_wait_s".
TUNABLES = _tunables()

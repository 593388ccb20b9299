"""The whole policy: one frozen value, so that what a call has read does not change under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from gateway.policy.breaker import BreakerPolicy
from gateway.policy.cache import CachePolicy
from gateway.policy.dispatch import DispatchPolicy
from gateway.policy.lifetimes import LifetimePolicy
from gateway.policy.limiter import LimiterPolicy
from gateway.policy.retry import RetryPolicy
from gateway.policy.timeouts import TimeoutPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    limiter: LimiterPolicy = field(default_factory=LimiterPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    cache: CachePolicy = field(default_factory=CachePolicy)
    lifetimes: LifetimePolicy = field(default_factory=LifetimePolicy)
    timeouts: TimeoutPolicy = field(default_factory=TimeoutPolicy)
    dispatch: DispatchPolicy = field(default_factory=DispatchPolicy)

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


@dataclass(frozen=True, slots=True)
class Tunable:
    """One field as a page or a form needs it."""

    group: str
    name: str
    kind: type[int | float]
    default: float
    unit: str
    minimum: float
    maximum: float
    help: str

    def typed(self, value: float) -> float:
        """5.0 calls are 5 calls; what is not whole stays, to be refused with its bounds."""
        is_whole = isinstance(value, float) and value.is_integer()
        return int(value) if self.kind is int and is_whole else value


def _tunables() -> Mapping[str, Tunable]:
    default = Policy()
    return {
        f"{group.name}.{one.name}": Tunable(
            group=group.name,
            name=one.name,
            kind=int if isinstance(one.default, int) else float,
            default=getattr(getattr(default, group.name), one.name),
            **one.metadata,
        )
        for group in fields(default)
        for one in fields(getattr(default, group.name))
    }


# Every tunable by its full name, such as "limiter.max_wait_s".
TUNABLES = _tunables()

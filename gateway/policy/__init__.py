"""Every tunable of the engine: typed, with its unit, bounds and one line of help.

One module per group of fields; `levels` puts default, provider and offer on top of one another,
`live` brings a change to every process.
"""

from gateway.policy.breaker import BreakerPolicy
from gateway.policy.cache import CachePolicy
from gateway.policy.dispatch import DispatchPolicy
from gateway.policy.fields import Reach
from gateway.policy.groups import GROUPS, TUNABLES, Policy, Tunable
from gateway.policy.levels import Overrides, PolicySource, Scope, StaticPolicy
from gateway.policy.lifetimes import Lifetime, LifetimePolicy
from gateway.policy.limiter import LimiterPolicy
from gateway.policy.limits import LimitsPolicy
from gateway.policy.ranking import RankingPolicy, Weights
from gateway.policy.retry import RetryPolicy
from gateway.policy.timeouts import TimeoutPolicy

__all__ = [
    "GROUPS",
    "TUNABLES",
    "BreakerPolicy",
    "CachePolicy",
    "DispatchPolicy",
    "Lifetime",
    "LifetimePolicy",
    "LimiterPolicy",
    "LimitsPolicy",
    "Overrides",
    "Policy",
    "PolicySource",
    "RankingPolicy",
    "Reach",
    "RetryPolicy",
    "Scope",
    "StaticPolicy",
    "TimeoutPolicy",
    "Tunable",
    "Weights",
]

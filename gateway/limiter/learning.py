"""What an answer or a refusal teaches of a quota: its limits, what is left, how long to rest."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.errors import ProviderError, QuotaExhausted, Throttled
from gateway.limiter.calendar import edges_us
from gateway.limiter.headers import read_limits
from gateway.limiter.quota import Quota, Reading, Refusal
from gateway.limiter.window import MARGIN_US
from gateway.policy import LimiterPolicy
from gateway.types import Limit, LimitHeader, SaidLimit, Window

_US = 1_000_000


def learned(
    quota: Quota,
    limit_headers: tuple[LimitHeader, ...],
    headers: Mapping[str, str],
    error: BaseException | None,
) -> dict[Limit, Reading]:
    """By the limits of the quota; what a refusal's body says goes before its headers."""
    readings = read_limits(quota.limits, limit_headers, headers)
    for one in error.said if isinstance(error, ProviderError) else ():
        if limit := _meant(quota, one):
            known = readings.get(limit, Reading())
            readings[limit] = Reading(
                remaining=known.remaining if one.remaining is None else one.remaining,
                reset_us=known.reset_us if one.reset_us is None else one.reset_us,
                amount=known.amount if one.amount is None else one.amount,
            )
    return readings


def refused_for(
    quota: Quota, error: BaseException | None, readings: Mapping[Limit, Reading]
) -> Refusal | Limit:
    """Which limit turned out to be lower than was believed; none where the refusal explains itself.

    It does where it says how much is left, or how much there is at all.
    """
    if not isinstance(error, Throttled | QuotaExhausted):
        return Refusal.NONE
    if any(one.remaining == 0 or one.amount for one in readings.values()):
        return Refusal.NONE
    for one in error.said:
        if limit := _meant(quota, one):
            return limit
    return Refusal.LONG_LIMIT if isinstance(error, QuotaExhausted) else Refusal.SOME_LIMIT


def rest_s(quota: Quota, error: BaseException | None, policy: LimiterPolicy, now_us: int) -> float:
    """How long the whole quota rests after a refusal; 0 after anything else."""
    if not isinstance(error, Throttled | QuotaExhausted):
        return 0.0
    asked_s = error.retry_after_s
    if asked_s is None and isinstance(error, QuotaExhausted):
        asked_s = _until_midnight_s(quota, now_us)
    if asked_s is None:
        is_used_up = isinstance(error, QuotaExhausted)
        asked_s = policy.exhausted_pause_s if is_used_up else policy.throttled_pause_s
    return min(asked_s, policy.longest_pause_s)


def _meant(quota: Quota, said: SaidLimit) -> Limit | None:
    same = (one for one in quota.limits if (one.unit, one.window) == (said.unit, said.window))
    return next(same, None)


def _until_midnight_s(quota: Quota, now_us: int) -> float | None:
    """Until the provider's day ends; None where nobody knows when that is."""
    for limit in quota.limits:
        if limit.window is Window.DAY and (edges := edges_us(limit, now_us)):
            return (edges[2] + MARGIN_US - now_us) / _US
    return None

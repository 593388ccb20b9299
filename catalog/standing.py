"""How offers stand now: what is left of their quotas, whether their breaker lets calls through.

Asking for all offers would cost a Redis script each. So the ranking is made with what was heard
lately, those at its top are asked about anew, and so on until the top of the ranking stands on
facts of the last second. Mostly that takes one question a second, however much is typed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cachetools import TTLCache

from catalog.candidates import NOTHING_KNOWN, Candidate, Pool, Standing
from catalog.complexity import Needs
from catalog.engine import engine
from catalog.recommend import Ranking, recommend
from catalog.targets import targets_for
from freellm_site.lib import format as formats
from gateway.limiter.quota import Level, LimitLevel
from gateway.resilience.breaker import BreakerView
from gateway.resilience.breaker_rules import BreakerState
from gateway.types import Target, Window

_FRESH_FOR_S = 1.0
# Older facts still order those whom nobody looks at; whoever comes to the top is asked anew.
_KNOWN_FOR_S = 5.0
_ASK_AT_ONCE = 24
_QUESTIONS = 3
_TOP = 8  # the picks, and who may stand in for them

# One event loop per process asks; a standing is a value, so sharing it is safe.
_known: TTLCache[int, Standing] = TTLCache(10_000, _KNOWN_FOR_S, timer=time.monotonic)
_fresh: TTLCache[int, None] = TTLCache(10_000, _FRESH_FOR_S, timer=time.monotonic)

# First token and tokens per second, by provider and id there, as somebody measured them.
Speeds = Mapping[tuple[str, str], tuple[float, float]]

_DAYS_WORDS = {
    Window.SECOND: "this second's quota",
    Window.MINUTE: "this minute's quota",
    Window.HOUR: "this hour's quota",
    Window.DAY: "today's quota",
    Window.MONTH: "this month's quota",
}


async def recommend_now(needs: Needs, pool: Pool, speeds: Speeds | None = None) -> Ranking:
    """`recommend` by the standings of this second and the `speeds` that were measured."""
    ranking = recommend(needs, pool, _standings(pool, speeds or {}))
    for _ in range(_QUESTIONS):
        order = ranking.candidates
        if all(one.offer_id in _fresh for one in order[:_TOP]):
            break
        stale = [one for one in order if one.offer_id not in _fresh]
        found = await _ask(stale[:_ASK_AT_ONCE])
        _known.update(found)
        _fresh.update(dict.fromkeys(found))
        ranking = recommend(needs, pool, _standings(pool, speeds or {}))
    return ranking


def _standings(pool: Pool, speeds: Speeds) -> dict[int, Standing]:
    standings = dict(_known)
    for name, (first_token_s, tokens_per_s) in speeds.items():
        for offer_id in pool.offers_named(*name):
            standings[offer_id] = replace(
                standings.get(offer_id, NOTHING_KNOWN),
                first_token_s=first_token_s,
                tokens_per_s=tokens_per_s,
            )
    return standings


def forget() -> None:
    _known.clear()
    _fresh.clear()


async def _ask(candidates: Sequence[Candidate]) -> Mapping[int, Standing]:
    """Standings by offer id; an offer that cannot be called stands as refusing."""
    targets = await targets_for([one.offer_id for one in candidates])
    async with engine() as gateway:
        levels = await gateway.levels(targets)
        breakers = await gateway.breaker_states([pair for one in targets for pair in _pairs(one)])
    by_name: dict[tuple[str, str], list[Standing]] = {}
    for target in targets:
        standing = _standing(target, levels[target], breakers)
        by_name.setdefault((target.provider, target.model), []).append(standing)
    return {
        one.offer_id: _best(by_name.get((one.provider_slug, one.external_id), []))
        for one in candidates
    }


def _pairs(target: Target) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    return (target.provider, target.model), (target.provider, None)


def _best(standings: Sequence[Standing]) -> Standing:
    """An offer with several keys stands as its best key does."""
    if not standings:
        return Standing(is_refusing=True, refusing_words="has no usable key just now")
    return min(standings, key=lambda one: (one.is_refusing, -(one.left or 0.0)))


def _standing(
    target: Target, level: Level, breakers: Mapping[tuple[str, str | None], BreakerView]
) -> Standing:
    views = [breakers[pair] for pair in _pairs(target)]
    open_for_s = max(
        (one.retry_in_s for one in views if one.state is BreakerState.OPEN), default=None
    )
    tightest = min(level.limits, key=lambda one: one.fraction_left, default=None)
    blocked = level.blocked_for_s > 0
    return Standing(
        left=0.0 if blocked else _left(level, tightest),
        left_words=_left_words(level, tightest),
        is_refusing=open_for_s is not None,
        refusing_words=_refusing_words(open_for_s),
        is_probing=any(one.state is BreakerState.HALF_OPEN for one in views),
        is_health_known=all(one.state is not None for one in views),
    )


def _left(level: Level, tightest: LimitLevel | None) -> float | None:
    return tightest.fraction_left if level.is_known and tightest else None


def _left_words(level: Level, tightest: LimitLevel | None) -> str:
    if level.blocked_for_s > 0:
        return f"rests for {formats.seconds(level.blocked_for_s)}: it refused a call"
    if tightest is None:
        return ""
    whose = _DAYS_WORDS[tightest.limit.window]
    if not tightest.left:
        return f"{whose} is used up, back in {formats.seconds(tightest.resets_in_s)}"
    if tightest.amount <= 100:  # noqa: PLR2004 - so few are better counted than shared
        unit = str(tightest.limit.unit)
        return f"{tightest.left} of {tightest.amount} {unit} left of {whose}"
    return f"{formats.percent(tightest.fraction_left, 0)} of {whose} left"


def _refusing_words(open_for_s: float | None) -> str:
    if open_for_s is None:
        return ""
    return f"failed too often; asked again in {formats.seconds(open_for_s)}"

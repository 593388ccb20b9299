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
from catalog.engine import policy_now
from catalog.live import Live, read_offers
from catalog.recommend import Ranking, recommend
from freellm_site.lib import format as formats
from gateway.types import Window

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
    policy = (await policy_now()).ranking
    ranking = recommend(needs, pool, _standings(pool, speeds or {}), policy)
    for _ in range(_QUESTIONS):
        order = ranking.candidates
        if all(one.offer_id in _fresh for one in order[:_TOP]):
            break
        stale = [one for one in order if one.offer_id not in _fresh]
        found = await _ask(stale[:_ASK_AT_ONCE])
        _known.update(found)
        _fresh.update(dict.fromkeys(found))
        ranking = recommend(needs, pool, _standings(pool, speeds or {}), policy)
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
    found = await read_offers(
        {one.offer_id: (one.provider_slug, one.external_id) for one in candidates}
    )
    return {one.offer_id: standing_of(found.get(one.offer_id), one.doubt) for one in candidates}


def standing_of(live: Live | None, doubt: str = "") -> Standing:
    if live is None:
        return Standing(is_refusing=True, refusing_words="has no usable key just now")
    return Standing(
        left=live.left,
        left_words=_left_words(live),
        is_refusing=live.is_open or live.is_key_refused or bool(doubt),
        refusing_words=_refusing_words(live, doubt),
        is_probing=live.is_probing,
        is_health_known=live.is_known,
    )


def _left_words(live: Live) -> str:
    if live.rests_for_s > 0:
        return f"rests for {formats.seconds(live.rests_for_s)}: it refused a call"
    tightest = live.tightest
    if tightest is None:
        return ""
    whose = _DAYS_WORDS[tightest.limit.window]
    if not tightest.left:
        return f"{whose} is used up, back in {formats.seconds(tightest.resets_in_s)}"
    if tightest.amount <= 100:  # noqa: PLR2004 - so few are better counted than shared
        unit = str(tightest.limit.unit)
        return f"{tightest.left} of {tightest.amount} {unit} left of {whose}"
    return f"{formats.percent(tightest.fraction_left, 0)} of {whose} left"


def _refusing_words(live: Live, doubt: str) -> str:
    if live.is_key_refused:
        return "its key was refused; an admin can check or renew it"
    if live.is_open:
        return f"failed too often; asked again in {formats.seconds(live.retry_in_s)}"
    return f"{doubt.lower()}, as the check of its key found" if doubt else ""

"""The recorded calls as a replay reads them, and how they fared when they were made."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from catalog.models import Offer
from catalog.targets import engine_limits, keyless_target
from gateway.limiter.replay import PastCall, PastTry, Replayed
from gateway.types import Attempt, Outcome, Target
from monitoring.models import CallRecord

MOST_CALLS = 100_000
_UNKNOWN_S = 1.0  # an answer of a target that has answered nobody
_US = 1_000_000

_Name = tuple[str, str, str]  # provider, model, key


@dataclass
class Past:
    """Calls that were meant for a provider, oldest first, and what became of each of them."""

    calls: list[PastCall] = field(default_factory=list)
    fared: list[Replayed] = field(default_factory=list)
    throttled: int = 0  # 429s of providers
    is_cut: bool = False  # there were more: only the newest are here


def recorded_since(since_s: float, most: int = MOST_CALLS) -> Past:
    """Not those from a cache. Of very many the newest: a sample would look like less load."""
    records = CallRecord.objects.filter(at__gte=datetime.fromtimestamp(since_s, UTC), cached="")
    newest = records.filter(attempt_count__gt=0).order_by("-at", "-pk")
    fields = ("at", "prompt_tokens", "completion_tokens", "attempts", "throttled_count")
    rows = list(newest.values_list(*fields)[: most + 1])
    trails = [[Attempt.from_plain(one) for one in row[3]] for row in rows[:most]]
    targets = _targets(name for trail in trails for name in _names(trail))
    took_s = _usual_s(trails)
    past = Past(is_cut=len(rows) > most)
    for row, trail in zip(reversed(rows[:most]), reversed(trails), strict=True):
        at, prompt_tokens, completion_tokens, _, throttled = row
        names = _names(trail)
        tries = tuple(PastTry(targets[name], took_s.get(name, _UNKNOWN_S)) for name in names)
        tokens = prompt_tokens + completion_tokens
        past.calls.append(PastCall(int(at.timestamp() * _US), prompt_tokens, tokens, tries))
        past.fared.append(_fared(trail, names))
        past.throttled += throttled
    return past


def _fared(trail: Sequence[Attempt], names: Sequence[_Name]) -> Replayed:
    sent = [_name(one) for one in trail if one.was_sent or one.status is not None]
    waited_s = sum(one.limiter_wait_s for one in trail)
    return Replayed(waited_s, names.index(sent[-1]) if sent else None)


def _name(attempt: Attempt) -> _Name:
    return attempt.provider, attempt.model, attempt.key_id


def _names(trail: Sequence[Attempt]) -> list[_Name]:
    """The targets of a call in their order, each once."""
    return list(dict.fromkeys(_name(one) for one in trail))


def _usual_s(trails: Iterable[Sequence[Attempt]]) -> dict[_Name, float]:
    """How long each target took, the median of what it answered."""
    took: dict[_Name, list[float]] = defaultdict(list)
    for trail in trails:
        for one in trail:
            if one.outcome is Outcome.ANSWERED:
                took[_name(one)].append(max(0.0, one.duration_s - one.limiter_wait_s))
    return {name: statistics.median(times) for name, times in took.items()}


def _targets(names: Iterable[_Name]) -> dict[_Name, Target]:
    """With the limits the catalog knows now; an offer that it has not is without any."""
    wanted = set(names)
    offers = Offer.objects.filter(
        provider__slug__in={provider for provider, _, _ in wanted},
        external_id__in={model for _, model, _ in wanted},
    ).select_related("provider", "model")
    known = {
        (one.provider.slug, one.external_id): keyless_target(
            one.provider, one.external_id, engine_limits(one)
        )
        for one in offers
    }
    return {
        name: replace(known.get(name[:2]) or Target(*name[:2], base_url=""), key_id=name[2])
        for name in wanted
    }

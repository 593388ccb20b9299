"""Offers as rows of a table: in which state, with which limits, and how that is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from catalog.choices import attach
from catalog.live import Live, live_of
from catalog.models import Offer, OfferStatus
from catalog.querysets import OfferQuerySet
from catalog.targets import NO_KEY, Obstacle, obstacles
from freellm_site.lib.format import absolute, quantity, seconds
from gateway.types import LIMIT_NAMES, Window

# Those that have a column of their own, and all in the order a reader asks for them.
IN_COLUMNS = ("rpm", "rpd", "tpm", "tpd")
_ORDER = ("rps", "rpm", "rph", "rpd", "rpmonth", "tps", "tpm", "tph", "tpd", "tpmonth")
_WORDS = {
    "rpmonth": "requests a month",
    "tpmonth": "tokens a month",
    "neurons_day": "neurons a day",
}


@dataclass(frozen=True, slots=True)
class State:
    """A state's shape and word; `sentence` says why, where that is not plain."""

    shape: str
    word: str
    sentence: str = ""
    since: dt.datetime | None = None


ANSWERS = State("full", "Answers", "Its breaker is closed: calls go through.")
NOT_KNOWN = State(
    "unknown", "Not known now", "Calls go out, but Redis, which knows how it stands, is away."
)
GONE = State("unknown", "Retired", "It is no longer offered, so it is never called.")
HIDDEN = State("unknown", "Hidden", "An admin keeps it from being called.")
NOT_FREE = State("unknown", "Not free", "It costs money, an admin says, so it is never called.")


@dataclass(frozen=True, slots=True)
class OfferLine:
    """`obstacle` keeps calls from it; `live` is how it stands where nothing does."""

    offer: Offer
    obstacle: State | None
    live: Live | None = None

    @property
    def state(self) -> State:
        return self.obstacle or state_of(self.live)

    @property
    def is_usable(self) -> bool:
        return self.obstacle is None

    @property
    def is_retired(self) -> bool:
        return self.obstacle == GONE

    @property
    def lacks_key(self) -> bool:
        return self.obstacle is not None and self.obstacle.word == NO_KEY.word

    @property
    def limits(self) -> Mapping[str, int]:
        return self.offer.effective_limits

    @property
    def limit_words(self) -> str:
        return limit_words(self.limits)


def offer_lines(
    offers: OfferQuerySet, obstacle_of: Mapping[int, Obstacle | None] | None = None
) -> list[OfferLine]:
    """The offers, those that can be called first, then by provider; how they stand is not asked.

    `obstacle_of` is what keeps calls from each provider, where that is known already.
    """
    if obstacle_of is None:
        obstacle_of = obstacles()
    rows = list(
        offers.select_related("provider", "model").order_by("provider__name", "external_id")
    )
    attach(rows)
    lines = [OfferLine(offer, _obstacle(offer, obstacle_of[offer.provider_id])) for offer in rows]
    return sorted(lines, key=_rank)


def with_live(
    lines: Sequence[OfferLine], known: Mapping[int, Live] | None = None
) -> list[OfferLine]:
    """The same lines with how they stand now: as known, else asked of the engine, all at once."""
    usable = [line.offer for line in lines if line.is_usable]
    if known is None:
        known = live_of({one.pk: (one.provider.slug, one.external_id) for one in usable})
    return [replace(line, live=known.get(line.offer.pk)) for line in lines]


def in_trying_order(lines: Sequence[OfferLine]) -> list[OfferLine]:
    """What answers comes first, by what is left of its quota; last what no call is sent to."""

    def order(line: OfferLine) -> tuple[float, ...]:
        return (*_rank(line), *(line.live.rank if line.live else ()))

    return sorted(lines, key=order)


def _rank(line: OfferLine) -> tuple[bool, bool, bool]:
    """What can be called first, of that what an admin pinned; what is retired last."""
    return (not line.is_usable, line.is_retired, not line.offer.chosen.is_pinned)


def state_of(live: Live | None) -> State:
    """How an offer that calls may be sent to stands: its breaker, then its quota."""
    if live is None or not live.is_known:
        return NOT_KNOWN
    if live.is_key_refused:
        return State("hollow", "Key refused", f"{live.refusal} Check the key, or renew it.")
    if live.is_open:
        again = seconds(live.retry_in_s)
        return State("hollow", "Open", f"It failed too often and is tried again in {again}.")
    if live.is_used_up:
        return State("half", "Used up", f"{live.words}.")
    if live.is_probing:
        return State("half", "Half-open", "It failed lately and is being tried again.")
    return ANSWERS


def _obstacle(offer: Offer, obstacle: Obstacle | None) -> State | None:
    if offer.status == OfferStatus.RETIRED or offer.provider.is_retired:
        return GONE
    if offer.is_hidden or not offer.is_free:
        return HIDDEN if offer.is_hidden else NOT_FREE
    if offer.status == OfferStatus.MISSING:
        return missing(offer.missing_since)
    if offer.refused_since is not None:
        return refused(offer.refused_since)
    return None if obstacle is None else kept_off(obstacle)


def kept_off(obstacle: Obstacle) -> State:
    return State("unknown", obstacle.word, obstacle.sentence)


def missing(since: dt.datetime | None) -> State:
    told = f" since {absolute(timezone.localtime(since))}" if since else ""
    sentence = f"The provider's list has not named it{told}; it is gone when the next one does not."
    return State("unknown", "Missing", sentence, since)


def refused(since: dt.datetime) -> State:
    told = absolute(timezone.localtime(since))
    sentence = (
        f"A call to it was answered “not found” at {told}. It is asked again from time to time, "
        "and called when it answers."
    )
    return State("hollow", "Not found", sentence, since)


def limit_words(limits: Mapping[str, int]) -> str:
    """“30 rpm · 1k rpd · 8k tpm”; "" where none is known."""
    known = [name for name in _ORDER if name in limits]
    others = sorted(limits.keys() - set(_ORDER))
    return " · ".join(
        f"{quantity(limits[name], short=True)} {_WORDS.get(name, name)}" for name in known + others
    )


def other_limit_words(limits: Mapping[str, int]) -> str:
    """What no column shows, such as “10k neurons a day”."""
    others = sorted(limits.keys() - set(IN_COLUMNS), key=_place)
    return " · ".join(f"{quantity(limits[name], short=True)} {in_full(name)}" for name in others)


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER)), name


def in_full(name: str) -> str:
    if name not in LIMIT_NAMES:
        return _WORDS.get(name, name)
    unit, window = LIMIT_NAMES[name]
    return f"{unit} {'an' if window is Window.HOUR else 'a'} {window}"


def span(figures: Iterable[int | None]) -> tuple[int, int] | None:
    """The least and the most of what is known."""
    known = [figure for figure in figures if figure is not None]
    return (min(known), max(known)) if known else None

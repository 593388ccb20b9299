"""The list of quotas as its address asks for it: searched, filtered, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from catalog.paging import Listing, read_choice, read_page
from freellm_site.lib import format as formats
from monitoring.limits.rows import PoolRow, State

PAGE = 40
_LONGEST_SEARCH = 80


@dataclass(frozen=True, slots=True)
class StateChoice:
    """A link to the quotas that stand alike."""

    word: str
    count: int
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class PoolListing:
    """One page of the quotas that match; `notices` are what could not be read of the address."""

    listing: Listing
    q: str
    state: str
    provider: str
    providers: Sequence[tuple[str, str]]  # that have quotas: slug, name
    choices: Sequence[StateChoice]
    notices: Sequence[str]
    all_count: int

    @classmethod
    def of(cls, rows: Sequence[PoolRow], asked: QueryDict) -> PoolListing:
        notices: list[str] = []
        names = {row.facts.name.provider: row.facts.provider_name for row in rows}
        q = asked.get("q", "").strip()[:_LONGEST_SEARCH]
        provider = read_choice(asked, "provider", names, notices)
        state = read_choice(asked, "state", dict.fromkeys(State, ""), notices)
        words = q.casefold().split()
        found = [
            row
            for row in rows
            if (not provider or row.facts.name.provider == provider)
            and all(word in row.facts.searched for word in words)
        ]
        shown = [row for row in found if not state or row.state == state]
        chosen = {"q": q, "provider": provider, "state": state}
        return cls(
            listing=Listing.of(shown, read_page(asked, notices), PAGE, chosen),
            q=q,
            state=state,
            provider=provider,
            providers=sorted(names.items(), key=lambda pair: pair[1].casefold()),
            choices=_choices(found, chosen),
            notices=notices,
            all_count=len(rows),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.q or self.state or self.provider)


def _choices(rows: Sequence[PoolRow], chosen: Mapping[str, str]) -> list[StateChoice]:
    """All, and each state that there is or that was asked for."""
    counts = Counter(row.state for row in rows)
    states = [one for one in State if counts[one] or chosen["state"] == one]
    return [
        _choice("All", len(rows), "", chosen),
        *(_choice(one.word, counts[one], one, chosen) for one in states),
    ]


def _choice(word: str, count: int, state: str, chosen: Mapping[str, str]) -> StateChoice:
    pairs = {name: value for name, value in {**chosen, "state": state}.items() if value}
    url = f"{reverse('monitoring:limits')}?{urlencode(pairs)}"
    return StateChoice(word, count, url, chosen["state"] == state)


def headline(rows: Sequence[PoolRow]) -> str:
    """The answer to: may I go on?"""
    held = [row for row in rows if row.state in (State.RESTING, State.EMPTY)]
    waiting = sum(row.view.waiting for row in rows)
    refused = sum(row.refused for row in rows)
    parts = [
        f"{formats.counted(len(rows) - len(held), 'quota')} of {len(rows)} let calls through now",
        f"{formats.counted(waiting, 'call')} wait here" if waiting else "no call waits here",
        f"{refused} refused outside in 5 min" if refused else "none was refused outside in 5 min",
    ]
    return f"{', '.join(parts)}."

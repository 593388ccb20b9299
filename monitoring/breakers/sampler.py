"""Breakers, looked at once a second while somebody looks; their story is kept on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async
from django.http import QueryDict
from django.utils import timezone

from catalog.snapshot import Snapshot, asnapshot
from gateway.client import Gateway
from gateway.resilience.watching import BreakerChange, BreakerWatch
from monitoring.breakers.keeping import SHOWN_FOR, keep, last_kept, newest_ids, recent
from monitoring.breakers.page import state_of
from monitoring.breakers.rows import Names, Pair, Seen
from monitoring.sampling import KEPT_S, Sample
from monitoring.tuning.marks import marks_between


class BreakersSampler:
    """Of the list of breakers, and of one of them where the address names it."""

    name = "breakers"

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the start: the next look begins with what is kept."""
        self._after: dict[str, str] = {}  # by provider: the last change that was read
        self._changes: list[BreakerChange] = []
        self._by_breaker: Mapping[Pair, Sequence[BreakerChange]] = {}
        self._watches: Mapping[Pair, BreakerWatch] = {}
        self._names: tuple[Snapshot | None, Mapping[Pair, Names]] = None, {}

    async def sample(self, gateway: Gateway) -> Seen:
        names = await self._named()
        await self._read_on(gateway, {provider for provider, _ in names})
        survey = await gateway.watch_breakers(list(names))
        # Five minutes of looks hold a breaker at which nothing happened once.
        watches = {
            pair: kept if (kept := self._watches.get(pair)) == watch else watch
            for pair, watch in survey.breakers.items()
        }
        self._watches = watches
        marks = await sync_to_async(marks_between)(survey.at_s - KEPT_S, survey.at_s)
        return Seen(replace(survey, breakers=watches), names, self._by_breaker, marks)

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        return state_of(samples, asked) if samples else {}

    async def _named(self) -> Mapping[Pair, Names]:
        now = await asnapshot()
        if self._names[0] is not now:
            named: dict[Pair, Names] = {}
            for one in now.candidates:
                named[one.provider_slug, None] = Names(one.provider_name)
                named[one.provider_slug, one.external_id] = Names(one.provider_name, one.model_name)
            self._names = now, named
        return self._names[1]

    async def _read_on(self, gateway: Gateway, providers: set[str]) -> None:
        """Keep what the engine told since the last look; the first begins with what is kept."""
        unread = providers - self._after.keys()
        if unread:
            self._after |= await sync_to_async(last_kept)(unread)
            self._remember(await sync_to_async(recent)(timezone.now() - SHOWN_FOR))
        told = await gateway.breaker_story(self._after)
        if told:
            await sync_to_async(keep)(told)
            self._after = newest_ids(told, self._after)
            self._remember([*self._changes, *told])

    def _remember(self, changes: Sequence[BreakerChange]) -> None:
        since_s = (timezone.now() - SHOWN_FOR).timestamp()
        self._changes = sorted(
            (one for one in changes if one.at_s >= since_s), key=lambda one: one.at_s
        )
        found: dict[Pair, list[BreakerChange]] = defaultdict(list)
        for one in self._changes:
            found[one.provider, one.model].append(one)
        self._by_breaker = found


BREAKERS = BreakersSampler()

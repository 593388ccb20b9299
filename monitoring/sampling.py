"""How the engine stands, looked at once a second while somebody looks at a page that shows it.

A page's figures come from its `Sampler`. One `Channel` per sampler and web process asks the engine,
keeps five minutes and wakes the page's viewers, however many there are: what they are told is made
once for all who asked the same, and a slow one finds only the newest.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from asgiref.sync import async_to_sync
from django.http import QueryDict

from catalog.engine import engine
from freellm_site.lib.redis_watch import redis_watch
from gateway.client import Gateway
from gateway.store import StoreAwayError

logger = logging.getLogger(__name__)

EVERY_S = 1.0
UNSEEN_EVERY_S = 15.0  # while nobody looks, so that a chart has a past when somebody does
KEPT_S = 300.0
LONGEST_SAMPLE_S = 5.0  # one that takes longer has missed its beat
LOOKED_AT_FOR_S = 10.0  # a page that was just rendered will ask for its stream
FRESH_S = 1.5
_PATIENCE_S = 0.2  # what a page waits for newer figures than those at hand
_FIRST_PATIENCE_S = 2.0  # and for any at all, in a process that has just begun


class Sampler(Protocol):
    """The figures of one page."""

    @property
    def name(self) -> str:
        """In the stream's address: /monitoring/live/<name>/."""

    async def sample(self, gateway: Gateway) -> Any:
        """How it stands now; what is told while Redis is away is not kept."""

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        """What the page is told, as JSON: `texts`, `parts`, `charts` (static/js/live-chart.js).

        Pure, because it runs in the event loop: whatever needs the database belongs to `sample`.
        """


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float  # Unix time
    value: Any


class Told:
    """What viewers are told of one version: made once for all who asked the same."""

    def __init__(self) -> None:
        self._version = -1
        self._texts: dict[str, str] = {}

    def text(self, version: int, asked: str, make: Callable[[], Mapping[str, Any]]) -> str:
        if version != self._version:
            self._version, self._texts = version, {}
        if asked not in self._texts:
            self._texts[asked] = json.dumps(make(), separators=(",", ":"))
        return self._texts[asked]


class Channel:
    """The samples of one sampler, and those who wait for them."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self.samples: deque[Sample] = deque()
        self.version = 0
        self.away_since_s: float | None = None  # Unix time
        self._viewers = 0
        self._looked_at = float("-inf")
        self._wanted = asyncio.Event()
        self._ticked = asyncio.Condition()
        self._told = Told()

    @contextmanager
    def viewed(self) -> Iterator[None]:
        """For as long as a viewer's stream is open."""
        self._viewers += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._viewers -= 1

    @property
    def is_viewed(self) -> bool:
        return self._viewers > 0 or time.monotonic() - self._looked_at < LOOKED_AT_FOR_S

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """The newest version, at once when it is not `seen`; else after a change or `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._ticked:
                await self._ticked.wait_for(lambda: self.version != seen)
        return self.version

    async def look(self) -> None:
        """Somebody loads the page: wait a moment for newer figures where those at hand are old."""
        self._looked_at = time.monotonic()
        self._wanted.set()
        if not self.samples and self.is_connected:
            await self.wait_for_change(0, _FIRST_PATIENCE_S)
        elif not self.samples or time.time() - self.samples[-1].at_s > FRESH_S:
            await self.wait_for_change(self.version, _PATIENCE_S)

    def state(self, asked: QueryDict) -> str:
        """As JSON."""
        return self._told.text(self.version, asked.urlencode(), lambda: self._state(asked))

    def _state(self, asked: QueryDict) -> Mapping[str, Any]:
        return {**self.sampler.state(self.samples, asked), "is_connected": self.is_connected}

    @property
    def is_connected(self) -> bool:
        return self.away_since_s is None

    async def run(self, gateway: Gateway) -> None:
        """Sample for ever: every second for viewers, now and then for nobody."""
        while True:
            began = time.monotonic()
            await self._sample(gateway)
            if self.is_viewed:
                await asyncio.sleep(max(0.05, EVERY_S - (time.monotonic() - began)))
                continue
            self._wanted.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), UNSEEN_EVERY_S)

    async def _sample(self, gateway: Gateway) -> None:
        try:
            async with asyncio.timeout(LONGEST_SAMPLE_S):
                value = await _look(self.sampler, gateway)
        except (StoreAwayError, TimeoutError):
            await self._tick(None)
        except Exception:
            logger.exception("The figures of %s could not be read, trying again", self.sampler.name)
            await self._tick(None)
        else:
            await self._tick(Sample(time.time(), value))

    async def _tick(self, sample: Sample | None) -> None:
        """Keep the sample and wake the viewers; None: there is none, and the page says so."""
        if sample is None:
            self.away_since_s = self.away_since_s or time.time()
        else:
            self.away_since_s = None
            self.samples.append(sample)
            while self.samples[0].at_s < sample.at_s - KEPT_S:
                self.samples.popleft()
        async with self._ticked:
            self.version += 1
            self._ticked.notify_all()


async def _look(sampler: Sampler, gateway: Gateway) -> Any:
    """Raises StoreAwayError also where the engine answers by what this process knows itself."""
    value = await sampler.sample(gateway)
    if gateway.is_degraded:
        raise StoreAwayError
    return value


_channels: dict[str, Channel] = {}


def channel(name: str) -> Channel | None:
    """Of this process; None where no lifespan runs (tests, commands), or nothing has that name."""
    return _channels.get(name)


def newest(sampler: Sampler) -> tuple[Sequence[Sample], float | None]:
    """What a page is rendered from, and since when (Unix time) there is nothing newer.

    The samples at hand, and a fresh one where they are old; no page waits for a Redis that hangs.
    """
    kept = channel(sampler.name)
    if kept is None:
        return _one(sampler)
    async_to_sync(kept.look)()
    return tuple(kept.samples), kept.away_since_s


def how_current(
    sampler: Sampler, samples: Sequence[Sample], away_since_s: float | None
) -> dict[str, Any]:
    """For a page (_live_from.html): whether it brings itself up to date, and of when it tells."""
    return {
        "is_live": channel(sampler.name) is not None,
        "away_since": _moment(away_since_s) if away_since_s else None,
        "seen_at": _moment(samples[-1].at_s) if samples else None,
    }


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def _one(sampler: Sampler) -> tuple[Sequence[Sample], float | None]:
    async def sample() -> Any:
        async with engine() as gateway:
            return await _look(sampler, gateway)

    if not redis_watch.may_ask():  # it did not answer a moment ago: nobody waits for it again
        return (), redis_watch.away_since_s
    try:
        return (Sample(time.time(), async_to_sync(sample)()),), None
    except StoreAwayError:
        return (), time.time()


@asynccontextmanager
async def sampling(samplers: Sequence[Sampler]) -> AsyncIterator[None]:
    """Keep a channel for each sampler for as long as the web process lives."""
    _channels.update({one.name: Channel(one) for one in samplers})
    async with engine() as gateway:
        tasks = [
            asyncio.create_task(one.run(gateway), name=f"sampler {name}")
            for name, one in _channels.items()
        ]
        try:
            yield
        finally:
            _channels.clear()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

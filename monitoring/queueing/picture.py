"""What the page of the queue says of its samples. Pure: the same live and still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from django.http import QueryDict

from freellm_site.lib import format as formats
from gateway.dispatch.sharing import ALL, Held, LaneTold
from gateway.dispatch.underway import CallView, Stage
from monitoring.ranges import LIVE, clock_times
from monitoring.sampling import Sample
from monitoring.series import Column
from monitoring.traffic import Tile

if TYPE_CHECKING:
    from monitoring.queueing.sampler import QueueSample

SHOWN_CALLS = 200

# The page's live parts and their templates.
PARTS = {
    "calls": "monitoring/queue/_call_rows.html",
    "lanes": "monitoring/queue/_lane_rows.html",
    "processes": "monitoring/queue/_process_rows.html",
    "tiles": "monitoring/queue/_tiles.html",
}

_WORDS = {
    Stage.PLACE: "waits for a place",
    Stage.QUOTA: "waits for its quota",
    Stage.BETWEEN: "between two attempts",
    Stage.BEGINNING: "in the cache, or behind an equal call",
    Stage.SENT: "at the provider",
}
_LOOKS = {
    Stage.PLACE: ("half", "warn"),
    Stage.QUOTA: ("half", "warn"),
    Stage.BETWEEN: ("unknown", "idle"),
    Stage.BEGINNING: ("unknown", "idle"),
    Stage.SENT: ("full", "ok"),
}
_WAITING = (Stage.PLACE, Stage.QUOTA)
_RANKS = {"interactive": 0, "normal": 1, "batch": 2}


@dataclass(frozen=True, slots=True)
class CallRow:
    call: CallView
    process: str
    owner_name: str
    provider_name: str

    @property
    def stage(self) -> Stage:
        return Stage(self.call.stage)

    @property
    def word(self) -> str:
        return _WORDS[self.stage]

    @property
    def glyph(self) -> str:
        return _LOOKS[self.stage][0]

    @property
    def tone(self) -> str:
        return _LOOKS[self.stage][1]

    @property
    def is_waiting(self) -> bool:
        return self.stage in _WAITING

    @property
    def expected(self) -> str:
        """When it is sent, where somebody can know."""
        if self.stage is Stage.SENT:
            return formats.MISSING
        if self.call.expected_s is None:
            return "not known"
        return f"in about {formats.seconds(self.call.expected_s)}"

    @property
    def order(self) -> tuple[int, int, float]:
        """Who waits first, by priority, then the oldest."""
        rank = _RANKS.get(str(self.call.priority), len(_RANKS))
        return (list(_WORDS).index(self.stage), rank, -self.call.age_s)


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One provider in all processes together."""

    slug: str
    name: str
    running: int
    limit: int
    waiting: int
    refused: int
    held: Held | None

    @property
    def until(self) -> datetime | None:
        return datetime.fromtimestamp(self.held.until_s, UTC) if self.held else None


@dataclass(frozen=True, slots=True)
class ProcessRow:
    name: str
    running: int
    waiting: int


@dataclass(frozen=True)
class QueuePicture:
    samples: Sequence[Sample]
    provider: str  # "" for all

    @classmethod
    def asked(cls, samples: Sequence[Sample], asked: QueryDict) -> QueuePicture:
        return cls(samples, asked.get("provider", "")[:80])

    @property
    def now(self) -> QueueSample:
        sample: QueueSample = self.samples[-1].value
        return sample

    def name_of(self, provider: str) -> str:
        return "Every provider" if provider == ALL else self.now.providers.get(provider, provider)

    @property
    def provider_name(self) -> str:
        return self.name_of(self.provider) if self.provider else "all providers"

    @cached_property
    def rows(self) -> list[CallRow]:
        """Every call that is told, who waits first."""
        found = [
            CallRow(
                call,
                process.process,
                self.now.owners.get(call.owner, call.owner),
                self.name_of(call.provider),
            )
            for process in self.now.queues.processes
            for call in process.calls
            if self.provider in ("", call.provider)
        ]
        return sorted(found, key=lambda row: row.order)

    @property
    def calls(self) -> list[CallRow]:
        return self.rows[:SHOWN_CALLS]

    @property
    def left_out(self) -> int:
        told = sum(one.left_out for one in self.now.queues.processes)
        return told + len(self.rows) - len(self.calls)

    @cached_property
    def lanes(self) -> list[LaneRow]:
        holds = self.now.queues.holds
        told: dict[str, list[LaneTold]] = {name: [] for name in holds}
        for process in self.now.queues.processes:
            for lane in process.lanes:
                told.setdefault(lane.provider, []).append(lane)
        rows = [
            LaneRow(
                slug,
                self.name_of(slug),
                running=sum(one.running for one in lanes),
                limit=sum(one.limit for one in lanes),
                waiting=sum(one.waiting for one in lanes),
                refused=sum(one.refused for one in lanes),
                held=holds.get(slug),
            )
            for slug, lanes in told.items()
        ]
        return sorted(
            rows,
            key=lambda one: (one.held is None, -one.waiting, -one.running, one.name.casefold()),
        )

    @property
    def processes(self) -> list[ProcessRow]:
        return [
            ProcessRow(
                one.process,
                sum(lane.running for lane in one.lanes),
                sum(lane.waiting for lane in one.lanes),
            )
            for one in self.now.queues.processes
        ]

    @property
    def waiting(self) -> int:
        return sum(row.is_waiting for row in self.rows)

    @property
    def sent(self) -> int:
        return sum(row.stage is Stage.SENT for row in self.rows)

    @property
    def headline(self) -> str:
        if not self.waiting:
            return "Nobody waits" if not self.sent else f"Nobody waits, {self.sent} under way"
        verb = "waits" if self.waiting == 1 else "wait"
        return f"{formats.counted(self.waiting, 'call')} {verb}, {self.sent} under way"

    @property
    def tiles(self) -> list[Tile]:
        by_priority = {
            name: sum(row.is_waiting and row.call.priority == name for row in self.rows)
            for name in _RANKS
        }
        tiles = [
            Tile(name, f"{name.capitalize()} waiting", formats.quantity(count))
            for name, count in by_priority.items()
        ]
        lanes = self._shown_lanes()
        limit = sum(lane.limit for lane in lanes)
        refused = sum(lane.refused for lane in lanes)
        return [
            *tiles,
            Tile("sent", "Under way", formats.quantity(self.sent), note=f"{limit} may at once"),
            Tile("refused", "Refused", formats.quantity(refused), note="since processes began"),
        ]

    @cached_property
    def _steps(self) -> list[QueueSample | None]:
        """The last sample of each step of the live minutes; None where nobody looked."""
        first_s = LIVE.first_s(self.samples[-1].at_s)
        steps: list[QueueSample | None] = [None] * LIVE.length
        for sample in self.samples:
            number = int(sample.at_s - first_s) // LIVE.step_s
            if 0 <= number < LIVE.length:
                steps[number] = sample.value
        return steps

    @property
    def times(self) -> list[str]:
        first_s = LIVE.first_s(self.samples[-1].at_s)
        return clock_times(range(first_s, first_s + LIVE.span_s, LIVE.step_s))

    @cached_property
    def columns(self) -> dict[str, Column]:
        return {
            name: [None if one is None else self._count(one, name) for one in self._steps]
            for name in ("limit", "running", "waiting")
        }

    @property
    def totals(self) -> dict[str, str]:
        """Beside each legend entry: now."""
        return {name: formats.quantity(column[-1]) for name, column in self.columns.items()}

    def _count(self, sample: QueueSample, name: str) -> int:
        return sum(
            getattr(lane, name)
            for process in sample.queues.processes
            for lane in process.lanes
            if self.provider in ("", lane.provider)
        )

    def _shown_lanes(self) -> list[LaneRow]:
        return [one for one in self.lanes if self.provider in ("", one.slug)]


def provider_choices(shown: QueuePicture) -> Mapping[str, str]:
    slugs = {lane.slug for lane in shown.lanes if lane.slug != ALL} | ({shown.provider} - {""})
    return {slug: shown.name_of(slug) for slug in sorted(slugs)}

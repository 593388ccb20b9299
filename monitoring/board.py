"""The last five minutes, counted: what the live charts are drawn from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from threading import Lock

from gateway.events import CallEvent
from gateway.types import Outcome
from monitoring.ranges import LIVE
from monitoring.records import course_of, throttled_count
from monitoring.series import Picture, Step, Timing
from monitoring.subjects import EVERYTHING, OF_A_PROVIDER, Kind, Subject, subjects_of

RATE_OVER_S = 10

Who = tuple[str, str, str, str]  # provider, model, key's id, owner
Rows = dict[Kind, dict[Subject, Step]]


class Board:
    """Counters per step and subject. Safe to add to in one thread and read in another.

    Calls alike in all that they are counted by are counted once while their step lasts, which is
    most of them where there are many; the step is turned into its subjects when it is over.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[int, dict[Who, Step]] = {}
        self._over: dict[int, Rows] = {}
        self._calls: dict[int, Counter[Who]] = {}  # per second, of the last few

    def add(self, event: CallEvent, at_s: int) -> None:
        start_s = at_s // LIVE.step_s * LIVE.step_s
        who = (event.provider, event.model, event.key_id, event.owner)
        with self._lock:
            self._calls.setdefault(at_s, Counter())[who] += 1
            if start_s in self._over:
                late = {who: Step()}
                _count(late[who], event)
                _turn(late, self._over[start_s])
                return
            steps = self._running.setdefault(start_s, {})
            step = steps.get(who)
            if step is None:
                step = steps[who] = Step()
            _count(step, event)

    def forget_before(self, at_s: int) -> None:
        """What began before: at most five minutes are kept, and seconds only for the rate."""
        with self._lock:
            for kept in (self._running, self._over):
                for start_s in [one for one in kept if one < at_s]:
                    del kept[start_s]
            newest_s = max(self._calls, default=0)
            for second in [one for one in self._calls if one < newest_s - 2 * RATE_OVER_S]:
                del self._calls[second]

    @property
    def is_empty(self) -> bool:
        return not self._running and not self._over

    def picture(self, now_s: float, of: Subject = EVERYTHING, by: Kind = Kind.PROVIDER) -> Picture:
        """The last five minutes in whole steps, ending with the one `now_s` lies in."""
        first_s = LIVE.first_s(now_s)
        rows: dict[Subject, list[Step]] = {}
        with self._lock:
            for start_s, found in self._by_subject().items():
                number = (start_s - first_s) // LIVE.step_s
                if not 0 <= number < LIVE.length:
                    continue
                for subject, step in _wanted(found, of, by):
                    if subject not in rows:
                        rows[subject] = [Step() for _ in range(LIVE.length)]
                    rows[subject][number].merge(step)
        return Picture(LIVE.step_s, first_s, rows, LIVE.length)

    def calls_per_s(self, now_s: float, of: Subject = EVERYTHING) -> float:
        """Over the last whole seconds, the running one left out."""
        last_s = int(now_s)
        with self._lock:
            calls = sum(
                count
                for second in range(last_s - RATE_OVER_S, last_s)
                for who, count in self._calls.get(second, {}).items()
                if of == EVERYTHING or of in subjects_of(*who)
            )
        return calls / RATE_OVER_S

    def _by_subject(self) -> dict[int, Rows]:
        """Every step; those that are over are turned once and for all."""
        newest_s = max(self._running, default=0)
        found = self._over
        for start_s in [one for one in self._running if one < newest_s]:
            found[start_s] = _turn(self._running.pop(start_s))
        if newest_s in self._running:
            return {**found, newest_s: _turn(self._running[newest_s])}
        return found


def _count(step: Step, event: CallEvent) -> None:
    step.count(
        course_of(event),
        throttled=throttled_count(event),
        prompt=event.prompt_tokens,
        completion=event.completion_tokens,
    )
    if event.outcome is Outcome.ANSWERED and not event.cached:
        timing = Timing.of(event.duration_s, event.first_token_s, event.completion_tokens)
        step.time(timing)


def _turn(steps: Mapping[Who, Step], rows: Rows | None = None) -> Rows:
    """From who was concerned to the subjects, each with its sum."""
    rows = defaultdict(dict) if rows is None else rows
    for who, step in steps.items():
        for subject in subjects_of(*who):
            rows[subject.kind].setdefault(subject, Step()).merge(step)
    return rows


def _wanted(rows: Rows, of: Subject, by: Kind) -> list[tuple[Subject, Step]]:
    within = of.provider if by in OF_A_PROVIDER else ""
    found = [(of, step) for step in [rows.get(of.kind, {}).get(of)] if step]
    found += [
        (subject, step)
        for subject, step in rows.get(by, {}).items()
        if subject != of and within in ("", subject.provider)
    ]
    return found

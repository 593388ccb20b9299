"""The living side of a scenario: counts, logs of admissions, faults in force."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway.simulator.pacing import Pace, dice_for
from gateway.simulator.scenario import Fault, Scenario, SimModel, SimProvider
from gateway.simulator.styles import STYLES, Style
from gateway.simulator.windows import Meter, Refusal, Standing
from gateway.types import Limit

_RECENT = 500


class Clock:
    """Time since the simulation began, and the Unix time that goes with it.

    At a `speed` of 10 a minute's quota is back after six real seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, speed: float = 1.0) -> None:
        self._monotonic = monotonic
        self._speed = speed
        self._started_s = monotonic()
        self.epoch_s = time.time()

    def elapsed_s(self) -> float:
        return (self._monotonic() - self._started_s) * self._speed

    def elapsed_us(self) -> int:
        return int(self.elapsed_s() * 1_000_000)

    def unix_s(self) -> float:
        return self.epoch_s + self.elapsed_s()


@dataclass(slots=True)
class ScriptedFault:
    """A fault and how often its turn has come."""

    fault: Fault
    place: int  # its number within the provider: part of its seed
    matched: int = 0
    struck: int = 0

    def strikes(self, seed: int, slug: str, model_id: str, on: str, elapsed_s: float) -> bool:
        fault = self.fault
        if fault.on not in (on, "all") or fault.model not in ("", model_id):
            return False
        if not fault.is_due(elapsed_s) or (fault.max_n and self.struck >= fault.max_n):
            return False
        turn = self.matched
        self.matched += 1
        if turn < fault.skip_n or (turn - fault.skip_n + 1) % fault.every_n:
            return False
        dice = dice_for(seed, slug, turn, f"fault {self.place} {fault.kind}")
        if fault.rate < 1 and dice.random() >= fault.rate:
            return False
        self.struck += 1
        return True


@dataclass(slots=True)
class Tally:
    """What happened to the chat requests for one model."""

    admitted: int = 0
    refused: int = 0
    faulted: int = 0
    rejected: int = 0  # wrong key, bad request, too long
    answered: int = 0
    disconnected: int = 0  # the client left before the end
    in_flight: int = 0
    tokens: int = 0  # prompt and completion tokens charged


@dataclass(slots=True)
class RunningProvider:
    spec: SimProvider
    seed: int
    clock: Clock
    requests: int = 0
    listed: int = 0
    serving: int = 0  # answers under way
    tallies: dict[str, Tally] = field(default_factory=dict)
    faults: list[ScriptedFault] = field(default_factory=list)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _meters: dict[tuple[str, str], Meter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.set_faults(self.spec.faults)

    @property
    def style(self) -> Style:
        return STYLES[self.spec.style]

    def set_faults(self, faults: Iterable[Fault]) -> None:
        self.faults = [ScriptedFault(one, place) for place, one in enumerate(faults)]

    def next_fault(self, model_id: str, *, on: str, replacing: bool) -> Fault | None:
        """The first fault in the script whose turn it is, of those that replace or spoil."""
        elapsed_s = self.clock.elapsed_s()
        for one in self.faults:
            if one.fault.kind.replaces_answer is replacing and one.strikes(
                self.seed, self.spec.slug, model_id, on, elapsed_s
            ):
                return one.fault
        return None

    def note(
        self, request_no: int, model_id: str, fault: Fault | None, outcome: str,
        pace: Pace | None = None,
    ) -> None:  # fmt: skip
        """Remember what was decided about a request, for `/_sim/state`."""
        self.recent.append(
            {
                "request": request_no,
                "model": model_id,
                "outcome": outcome,
                "fault": fault.kind if fault else None,
                "first_token_s": round(pace.first_token_s, 6) if pace else None,
                "tokens_per_s": round(pace.tokens_per_s, 6) if pace else None,
            }
        )

    def tally(self, model_id: str) -> Tally:
        return self.tallies.setdefault(model_id, Tally())

    @property
    def is_full(self) -> bool:
        """Whether as many answers are under way as it gives at once."""
        return 0 < self.spec.max_concurrent <= self.serving

    def next_request_no(self) -> int:
        self.requests += 1
        return self.requests - 1

    def admit(self, account: str, model: SimModel, tokens: int) -> Refusal | None:
        """Count the request against every pool it draws on, or say which limit refuses it."""
        now_us = self.clock.elapsed_us()
        meters = self._pools(account, model)
        refusals = [one for meter in meters if (one := meter.refusal(now_us, tokens))]
        if refusals:
            return max(refusals, key=lambda one: (one.wait_us is None, one.wait_us or 0))
        for meter in meters:
            meter.count(now_us, tokens)
        return None

    def standings(self, account: str, model: SimModel) -> list[Standing]:
        now_us = self.clock.elapsed_us()
        return [one for meter in self._pools(account, model) for one in meter.standings(now_us)]

    def _pools(self, account: str, model: SimModel) -> list[Meter]:
        if self.spec.quota_scope == "per-model":
            return [self._meter(account, model.id, model.limits or self.spec.limits)]
        shared = self._meter(account, "*", self.spec.limits)
        own = [self._meter(account, model.id, model.limits)] if model.limits else []
        return [shared, *own]

    def _meter(self, account: str, pool: str, limits: tuple[Limit, ...]) -> Meter:
        meter = self._meters.get((account, pool))
        if meter is None:
            meter = self._meters[account, pool] = Meter(
                limits,
                is_sliding=self.spec.windows == "sliding",
                epoch_us=int(self.clock.epoch_s * 1_000_000),
            )
        if self.spec.limits_change_s and self.clock.elapsed_s() >= self.spec.limits_change_s:
            meter.scale(self.spec.limits_change_factor)
        return meter


class Simulation:
    """Everything one simulator process holds in memory."""

    def __init__(self, scenario: Scenario, clock: Clock | None = None, speed: float = 1.0) -> None:
        self.scenario = scenario
        self._clock_given = clock
        self._speed = speed
        self.stopping = asyncio.Event()
        self.reset()

    def reset(self) -> None:
        """Begin anew: counts, quotas, faults, request numbers and the clock."""
        self.clock = self._clock_given or Clock(speed=self._speed)
        self.providers = {
            one.slug: RunningProvider(one, self.scenario.seed, self.clock)
            for one in self.scenario.providers
        }

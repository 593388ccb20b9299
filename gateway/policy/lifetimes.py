"""How long each kind of data is good for, and how long it stays in which tier."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, ClassVar

from gateway.policy.fields import Group, Reach, tunable

_DAY = 86_400.0
_LONGEST = 30 * _DAY

_ANSWER, _LIST, _FACTS = "a kept answer", "a provider's list of models", "what is known of a model"
_STATUS, _KEYS, _FIGURES = "a model's status", "a credential", "a benchmark's figures"
_NAMES = {
    _ANSWER: "Answers",
    _LIST: "Lists of models",
    _FACTS: "Facts of models",
    _STATUS: "Status of models",
    _KEYS: "Credentials",
    _FIGURES: "Benchmarks",
}


def _lifetime(default: float, what: str, label: str, sentence: str) -> Any:
    return tunable(
        default, unit="s", minimum=0, maximum=_LONGEST,
        label=f"{_NAMES[what]}: {label}", help=sentence, reach=Reach.EVERYTHING,
    )  # fmt: skip


def _fresh(default: float, what: str) -> Any:
    return _lifetime(
        default, what, "fresh for", f"For this long {what} is given without asking again."
    )


def _memory(default: float, what: str) -> Any:
    where = "in each process' memory"
    return _lifetime(default, what, "in memory", f"How long {what} stays {where}; 0: not at all.")


def _disk(default: float, what: str) -> Any:
    where = "on each machine's disk"
    return _lifetime(default, what, "on disk", f"How long {what} stays {where}; 0: not at all.")


def _redis(default: float, what: str) -> Any:
    return _lifetime(default, what, "in Redis", f"How long {what} stays in Redis; 0: not at all.")


def _stale(default: float, what: str) -> Any:
    sentence = f"Past its time, {what} is still given for this long while it is renewed."
    return _lifetime(default, what, "stale for", sentence)


def _on_error(default: float, what: str) -> Any:
    sentence = f"Past its time, {what} is still given for this long where a new one cannot be had."
    return _lifetime(default, what, "on error for", sentence)


@dataclass(frozen=True, slots=True)
class LifetimePolicy(Group):
    TITLE: ClassVar[str] = "Cache lifetimes"

    completion_fresh_s: float = _fresh(_DAY, _ANSWER)
    completion_memory_s: float = _memory(300.0, _ANSWER)
    completion_disk_s: float = _disk(_DAY, _ANSWER)
    completion_redis_s: float = _redis(_DAY, _ANSWER)
    # No answer is renewed behind: that would be a call nobody made.
    completion_on_error_s: float = _on_error(0.0, _ANSWER)

    model_list_fresh_s: float = _fresh(3600.0, _LIST)
    model_list_memory_s: float = _memory(0.0, _LIST)
    model_list_disk_s: float = _disk(7 * _DAY, _LIST)
    model_list_redis_s: float = _redis(_DAY, _LIST)
    model_list_stale_s: float = _stale(3600.0, _LIST)
    model_list_on_error_s: float = _on_error(_DAY, _LIST)

    model_metadata_fresh_s: float = _fresh(_DAY, _FACTS)
    model_metadata_memory_s: float = _memory(3600.0, _FACTS)
    model_metadata_disk_s: float = _disk(7 * _DAY, _FACTS)
    model_metadata_redis_s: float = _redis(7 * _DAY, _FACTS)
    model_metadata_stale_s: float = _stale(_DAY, _FACTS)
    model_metadata_on_error_s: float = _on_error(7 * _DAY, _FACTS)

    model_status_fresh_s: float = _fresh(10.0, _STATUS)
    model_status_memory_s: float = _memory(10.0, _STATUS)
    model_status_disk_s: float = _disk(0.0, _STATUS)
    model_status_redis_s: float = _redis(60.0, _STATUS)
    model_status_stale_s: float = _stale(20.0, _STATUS)
    model_status_on_error_s: float = _on_error(60.0, _STATUS)

    # Credentials stay in memory: nowhere else are they in clear.
    credentials_fresh_s: float = _fresh(60.0, _KEYS)
    credentials_memory_s: float = _memory(60.0, _KEYS)
    credentials_stale_s: float = _stale(0.0, _KEYS)
    credentials_on_error_s: float = _on_error(0.0, _KEYS)

    # Measured here with every call: renewed behind, so that no prompt waits for the query.
    benchmark_fresh_s: float = _fresh(15.0, _FIGURES)
    benchmark_memory_s: float = _memory(15.0, _FIGURES)
    benchmark_disk_s: float = _disk(_DAY, _FIGURES)
    benchmark_redis_s: float = _redis(_DAY, _FIGURES)
    benchmark_stale_s: float = _stale(600.0, _FIGURES)
    benchmark_on_error_s: float = _on_error(_DAY, _FIGURES)

    def of(self, kind: str) -> Lifetime:
        """Of one kind of data; a tier that it has no time for keeps none of it."""
        return Lifetime(*[getattr(self, name, 0.0) for name in _names(kind)])


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Of one kind of data: good for `fresh_s`, usable for `last_s`, in s since it was made."""

    fresh_s: float
    memory_s: float
    disk_s: float
    redis_s: float
    stale_s: float = 0.0
    on_error_s: float = 0.0

    @property
    def last_s(self) -> float:
        return self.fresh_s + max(self.stale_s, self.on_error_s)


@lru_cache(maxsize=100)  # a look into memory takes tens of microseconds in all
def _names(kind: str) -> tuple[str, ...]:
    return tuple(f"{kind}_{one.name}" for one in fields(Lifetime))

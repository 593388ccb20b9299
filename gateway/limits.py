"""What a quota counts, over which time, and how providers speak of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """What a quota counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    NEURONS = "neurons"  # Cloudflare's unit of work


class Window(StrEnum):
    """Over which time a quota counts."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    @property
    def seconds(self) -> int:
        return _WINDOW_SECONDS[self]


_WINDOW_SECONDS = {
    Window.SECOND: 1,
    Window.MINUTE: 60,
    Window.HOUR: 3_600,
    Window.DAY: 86_400,
    Window.MONTH: 30 * 86_400,
}

# The short names the field uses for limits, and what each of them counts.
LIMIT_NAMES: dict[str, tuple[Unit, Window]] = {
    "rps": (Unit.REQUESTS, Window.SECOND),
    "rpm": (Unit.REQUESTS, Window.MINUTE),
    "rph": (Unit.REQUESTS, Window.HOUR),
    "rpd": (Unit.REQUESTS, Window.DAY),
    "rpmonth": (Unit.REQUESTS, Window.MONTH),
    "tps": (Unit.TOKENS, Window.SECOND),
    "tpm": (Unit.TOKENS, Window.MINUTE),
    "tph": (Unit.TOKENS, Window.HOUR),
    "tpd": (Unit.TOKENS, Window.DAY),
    "tpmonth": (Unit.TOKENS, Window.MONTH),
    "neurons_day": (Unit.NEURONS, Window.DAY),
}


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` of `unit` per `window`; 0 means the provider gives nothing at all.

    `resets_in` is the time zone whose midnight ends the day or the calendar month; "" is a window
    that rolls, or of which nobody knows when it ends.
    """

    unit: Unit
    window: Window
    amount: int
    resets_in: str = ""
    is_pinned: bool = False  # set by an admin: nothing that answers name changes it

    @property
    def name(self) -> str:
        """The field's short name: rpm, tpd, ..."""
        return _NAME_OF[self.unit, self.window]


_NAME_OF = {dimension: name for name, dimension in LIMIT_NAMES.items()}


def parse_limits(
    named: Mapping[str, int],
    resets: Mapping[str, str] | None = None,
    pinned: Collection[str] = (),
) -> tuple[Limit, ...]:
    """Turn `{"rpm": 30, "tpd": 200_000}` into limits; raises KeyError on a name unknown here.

    `resets` is by window: `{"day": "America/Los_Angeles"}`. `pinned` are names.
    """
    every = ((name, *LIMIT_NAMES[name]) for name in sorted(named))
    return tuple(
        Limit(unit, window, named[name], (resets or {}).get(window, ""), name in pinned)
        for name, unit, window in every
    )


@dataclass(frozen=True, slots=True)
class SaidLimit:
    """What a refusal says of one limit; None where it is silent."""

    unit: Unit
    window: Window
    amount: int | None = None
    remaining: int | None = None
    reset_us: int | None = None  # from now


@dataclass(frozen=True, slots=True)
class LimitHeader:
    """A rate-limit header of a provider, as `ratelimit_headers` in the bundled mapping has it.

    `meaning` is "limit", "remaining", "reset" or "cost" followed by "unit/window", or a plain
    word; `format` is integer, decimal, text, seconds, duration, epoch-s or epoch-ms.
    """

    header: str
    meaning: str
    format: str

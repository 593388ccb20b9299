"""Numbers and times as the pages write them (docs: "Numbers and words").

Pure functions. A missing value is an en dash; what "missing" means in words ("not reported",
"no key") is for the page to say.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeGuard

MISSING = "\u2013"  # en dash
THIN = "\u202f"  # narrow no-break space: groups of thousands
SPACE = "\u00a0"  # no-break space: before a unit

_MULTIPLES = ("", "k", "M", "B", "T")
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB")
_SHORTENED_FROM = 10_000
_ABSURD = 1e18

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def quantity(value: float | None, *, short: bool = False) -> str:
    """9999 is "9 999", 12345 is "12.3k"; `short` shortens from a thousand on."""
    if not _is_figure(value):
        return MISSING
    if round(abs(value)) < (1_000 if short else _SHORTENED_FROM):
        return _all_digits(value)
    figure, unit = _scaled(abs(value), _MULTIPLES)
    return f"{'-' if value < 0 else ''}{figure}{unit}"


def counted(count: int, noun: str) -> str:
    """Such as "1 call" and "2 calls", for nouns that take an s."""
    return f"{quantity(count)} {noun}{'' if count == 1 else 's'}"


def seconds(value: float | None) -> str:
    """A duration: "88 ms", "0.31 s", "12 s", "2 min", "5 h 18 min"."""
    if not _is_figure(value) or value < 0:
        return MISSING
    if value < 0.0995:  # noqa: PLR2004 - what still rounds below a tenth of a second
        return f"{round(value * 1000)}{SPACE}ms"
    if round(value) < _MINUTE:
        return f"{_three_digits(value)}{SPACE}s"
    return _in_two_units(value)


def percent(fraction: float | None, digits: int = 1) -> str:
    """0.93 is "93 %". Not quite all never reads as 100 %, nor hardly any as 0 %."""
    if not _is_figure(fraction):
        return MISSING
    step = 10.0**-digits
    shown = fraction * 100
    if 0 < fraction < 1:
        shown = min(max(shown, step), 100 - step)
    return f"{_trimmed(shown, digits)}{SPACE}%"


def file_size(size: float | None) -> str:
    if not _is_figure(size) or size < 0:
        return MISSING
    figure, unit = _scaled(size, _BYTE_UNITS)
    return f"{figure}{SPACE}{unit}"


def with_unit(figure: str, unit: str) -> str:
    """A formatted figure and its unit; a missing figure has none."""
    return figure if figure == MISSING else f"{figure}{SPACE}{unit}"


def ago(moment: datetime | None, now: datetime) -> str:
    """How long ago, up to a day; then "yesterday", then the date. Both in the reader's zone."""
    if moment is None:
        return MISSING
    age_s = (now - moment).total_seconds()
    if age_s < 0:
        return f"in{SPACE}{_rounded_down(-age_s)}" if -age_s < _DAY else _date(moment, now)
    if age_s < 1:
        return "now"
    if age_s < _DAY:
        return f"{_rounded_down(age_s)} ago"
    if moment.date() == now.date() - timedelta(days=1):
        return "yesterday"
    return _date(moment, now)


def absolute(moment: datetime) -> str:
    """Such as "2026-11-22 14:21 UTC": what a relative time says when asked."""
    return f"{moment:%Y-%m-%d %H:%M} {moment.tzname() or ''}".rstrip()


def clock(moment: datetime | None) -> str:
    """Such as "14:21 UTC", for a reset or an event of today."""
    return MISSING if moment is None else f"{moment:%H:%M}{SPACE}{moment.tzname() or ''}".rstrip()


def _is_figure(value: float | None) -> TypeGuard[float]:
    """Whether there is something to write; what no measurement gives is as good as missing."""
    return value is not None and math.isfinite(value) and abs(value) < _ABSURD


def _all_digits(value: float) -> str:
    if abs(value) >= 100 or float(value).is_integer():  # noqa: PLR2004 - three digits at most
        return f"{value:,.0f}".replace(",", THIN)
    return _three_digits(value)


def _three_digits(value: float) -> str:
    """At most three significant digits, at most two decimals, without trailing zeros."""
    if abs(value) < 0.995:  # noqa: PLR2004 - what still rounds below 1.00
        return _trimmed(value, 2)
    return _trimmed(value, 1 if abs(value) < 9.95 else 0)  # noqa: PLR2004 - rounds below 10.0


def _trimmed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _scaled(value: float, units: tuple[str, ...]) -> tuple[str, str]:
    """The figure below a thousand and its unit, one decimal where that is three digits."""
    for power, unit in enumerate(units):
        scaled = value / 1000**power
        digits = 0 if power == 0 or scaled >= 99.95 else 1  # noqa: PLR2004 - rounds to 100
        if round(scaled, digits) < 1000 or unit == units[-1]:  # noqa: PLR2004 - the next unit
            return _trimmed(scaled, digits), unit
    raise AssertionError("the last unit always returns")


def _in_two_units(value: float) -> str:
    units = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
    for (size, unit), (smaller, smaller_unit) in pairwise(units):
        whole = round(value / smaller) * smaller
        if whole >= size:
            rest = whole % size // smaller
            first = f"{whole // size}{SPACE}{unit}"
            return f"{first} {rest}{SPACE}{smaller_unit}" if rest else first
    return f"{round(value)}{SPACE}s"


def _rounded_down(age_s: float) -> str:
    for size, unit in ((_HOUR, "h"), (_MINUTE, "min")):
        if age_s >= size:
            return f"{int(age_s // size)}{SPACE}{unit}"
    return f"{max(1, int(age_s))}{SPACE}s"


def _date(moment: datetime, now: datetime) -> str:
    # Month names by hand: strftime follows the process's locale.
    day = f"{moment.day}{SPACE}{_MONTHS[moment.month - 1]}"
    return day if moment.year == now.year else f"{day}{SPACE}{moment.year}"

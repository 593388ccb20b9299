"""Rate-limit headers in all the formats of the field. Nothing here raises on nonsense.

`headers` are httpx.Headers or their like: names match in any case.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from gateway.limiter.quota import Reading
from gateway.types import Limit, LimitHeader, Target, Unit, Window

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST_S = 400 * 86_400.0  # beyond a year it is no waiting time but a mistake
_US = 1_000_000
_MOST = 10.0**12
_EPOCH_MS_FROM = 1e11  # 1973 in milliseconds, the year 5138 in seconds


def now_by(headers: Mapping[str, str]) -> float:
    """Unix time by the answer's own Date, which is right where our clock is not."""
    said = _http_date(headers.get("date", ""))
    return time.time() if said is None else said


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the provider asks to wait; None where it does not say so understandably."""
    if (ms := parse_number(headers.get("retry-after-ms", ""))) is not None:
        return _bounded(ms / 1000)
    for name in ("retry-after", "x-ratelimit-timeremaining"):  # the second: GitHub Models
        wait = parse_wait(headers.get(name, ""), "seconds", now_by(headers))
        if wait is not None:
            return wait
    return None


def parse_wait(text: str, format: str, now: float | None = None) -> float | None:  # noqa: A002 - the facts' word
    """Seconds from now, from a duration, seconds, an epoch or an HTTP date.

    The format is a hint: what plainly is something else is read as what it is.
    """
    text = text.strip()
    number = parse_number(text)
    if number is None:
        return _bounded(_duration(text) if _http_date(text) is None else _until_date(text, now))
    if format == "epoch-ms" or number >= _EPOCH_MS_FROM:
        return _bounded(number / 1000 - _or_now(now))
    if format == "epoch-s" or number >= _LONGEST_S:
        return _bounded(number - _or_now(now))
    if format == "milliseconds":
        return _bounded(number / 1000)
    return _bounded(number)


def parse_number(text: str) -> float | None:
    """A finite number that is not negative."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _duration(text: str) -> float | None:
    """Go style: 2m59.56s, 370ms, 1h1m55.2s."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _until_date(text: str, now: float | None) -> float | None:
    at = _http_date(text)
    return None if at is None else at - _or_now(now)


def _or_now(now: float | None) -> float:
    return time.time() if now is None else now


def _bounded(seconds: float | None) -> float | None:
    if seconds is None or not math.isfinite(seconds) or seconds > _LONGEST_S:
        return None
    return max(0.0, seconds)


def read_limits(
    limits: Sequence[Limit], limit_headers: Sequence[LimitHeader], headers: Mapping[str, str]
) -> dict[Limit, Reading]:
    """What an answer's headers say of these limits; nonsense says nothing."""
    if not limit_headers:
        return {}
    said = _said(limit_headers, headers)
    readings = {}
    for limit in limits:
        of_window = said.get((limit.unit, limit.window), {})
        nameless = said.get((limit.unit, "window"), {})
        if not of_window and _is_meant(limit, limits, nameless):
            of_window = nameless
        if "remaining" in of_window or "limit" in of_window:
            readings[limit] = Reading(
                remaining=_whole(of_window.get("remaining")),
                reset_us=_whole(of_window.get("reset"), times=_US),
                amount=_whole(of_window.get("limit")),
            )
    return readings


def _whole(value: float | None, times: int = 1) -> int | None:
    """Held to what Redis counts exactly."""
    return None if value is None else int(min(value, _MOST) * times)


def read_cost(target: Target, headers: Mapping[str, str], unit: Unit) -> int | None:
    """What the call cost in a unit that only the provider can count."""
    for one in target.limit_headers:
        if one.meaning == f"cost {unit}/request":
            number = parse_number(headers.get(one.header, ""))
            return None if number is None else math.ceil(number)
    return None


def _said(
    limit_headers: Sequence[LimitHeader], headers: Mapping[str, str]
) -> dict[tuple[str, str], dict[str, float]]:
    """(unit, window) -> {"limit": ..., "remaining": ..., "reset": seconds}, where understood."""
    now = now_by(headers)
    said: dict[tuple[str, str], dict[str, float]] = {}
    for one in limit_headers:
        kind, _, of = one.meaning.partition(" ")
        unit, _, window = of.partition("/")
        text = headers.get(one.header)
        if text is None or not window or kind not in ("limit", "remaining", "reset"):
            continue
        value = parse_wait(text, one.format, now) if kind == "reset" else parse_number(text)
        if value is not None:
            said.setdefault((unit, window), {})[kind] = value
    return said


def _is_meant(limit: Limit, limits: Sequence[Limit], nameless: Mapping[str, float]) -> bool:
    """Whether headers that name no window mean this limit.

    Its amount says so, or it is alone, or only it can take so long to come back. A long window
    also needs its reset: an empty minute must not be taken for an empty day.
    """
    amount, reset_s = nameless.get("limit"), nameless.get("reset")
    if amount is not None and any(
        one.unit is limit.unit and one.amount == amount for one in limits
    ):
        return limit.amount == amount
    is_long = limit.window.seconds > Window.MINUTE.seconds
    if is_long and reset_s is None:
        return False
    same = [one for one in limits if one.unit is limit.unit]
    if reset_s is not None and reset_s > Window.HOUR.seconds:
        return [one for one in same if one.window.seconds >= reset_s] == [limit]
    return same == [limit]

"""Rate-limit headers in all the formats of the field. Nothing here raises on nonsense.

`headers` are httpx.Headers or their like: names match in any case.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from gateway.limiter.quota import Reading
from gateway.types import Limit, Target, Unit, Window

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS = {"d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST_S = 400 * 86_400.0  # beyond a year it is no waiting time but a mistake
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


def read_limits(target: Target, headers: Mapping[str, str]) -> dict[Limit, Reading]:
    """What an answer's headers say of the target's own limits; nonsense says nothing."""
    if not target.limit_headers:
        return {}
    said = _said(target, headers)
    readings = {}
    for limit in target.limits:
        of_window = said.get((limit.unit, limit.window), {})
        nameless = said.get((limit.unit, "window"), {})
        if not of_window and _is_meant(limit, target, nameless):
            of_window = nameless
        if "remaining" in of_window:
            reset_s = of_window.get("reset")
            readings[limit] = Reading(
                remaining=int(of_window["remaining"]),
                reset_us=None if reset_s is None else int(reset_s * 1_000_000),
            )
    return readings


def read_cost(target: Target, headers: Mapping[str, str], unit: Unit) -> int | None:
    """What the call cost in a unit that only the provider can count."""
    for one in target.limit_headers:
        if one.meaning == f"cost {unit}/request":
            number = parse_number(headers.get(one.header, ""))
            return None if number is None else math.ceil(number)
    return None


def _said(target: Target, headers: Mapping[str, str]) -> dict[tuple[str, str], dict[str, float]]:
    """(unit, window) -> {"limit": ..., "remaining": ..., "reset": seconds}, where understood."""
    now = now_by(headers)
    said: dict[tuple[str, str], dict[str, float]] = {}
    for one in target.limit_headers:
        kind, _, of = one.meaning.partition(" ")
        unit, _, window = of.partition("/")
        text = headers.get(one.header)
        if text is None or not window or kind not in ("limit", "remaining", "reset"):
            continue
        value = parse_wait(text, one.format, now) if kind == "reset" else parse_number(text)
        if value is not None:
            said.setdefault((unit, window), {})[kind] = value
    return said


def _is_meant(limit: Limit, target: Target, nameless: Mapping[str, float]) -> bool:
    """Whether headers that name no window mean this limit: its amount says so, or it is alone.

    A long window also needs its reset: an empty minute must not be taken for an empty day.
    """
    amount = nameless.get("limit")
    if amount is not None and any(
        one.unit is limit.unit and one.amount == amount for one in target.limits
    ):
        return limit.amount == amount
    if limit.window.seconds > Window.MINUTE.seconds and "reset" not in nameless:
        return False
    return sum(one.unit is limit.unit for one in target.limits) == 1

"""Days and months as a provider counts them: when they begin, daylight saving included."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.types import Limit, Window

_US = 1_000_000
_AHEAD = 3  # so many beginnings after the present one: Redis' clock may be ahead of ours

_kept: dict[tuple[str, Window], tuple[int, ...]] = {}


def edges_us(limit: Limit, now_us: int) -> tuple[int, ...]:
    """Beginnings of the last, the present and the next periods, in microseconds since 1970.

    () where the limit's window rolls, or its zone is not known on this machine.
    """
    who = (limit.resets_in, limit.window)
    if not limit.resets_in or limit.window not in (Window.DAY, Window.MONTH):
        return ()
    kept = _kept.get(who)
    if kept is None or not kept[1] <= now_us < kept[2]:
        zone = _zone(limit.resets_in)
        if zone is None:
            return ()
        kept = _kept[who] = _midnights(zone, limit.window, now_us)
    return kept


@lru_cache(maxsize=100)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _midnights(zone: ZoneInfo, window: Window, now_us: int) -> tuple[int, ...]:
    today = dt.datetime.fromtimestamp(now_us / _US, zone).date()
    days = [_stepped(today, window, -1)]
    for _ in range(1 + _AHEAD):
        days.append(_stepped(days[-1], window, 1))
    midnights = (dt.datetime.combine(day, dt.time(), zone) for day in days)
    return tuple(int(one.timestamp()) * _US for one in midnights)


def _stepped(day: dt.date, window: Window, steps: int) -> dt.date:
    """So many days on, or the first of the month so many months on."""
    if window is Window.DAY:
        return day + dt.timedelta(days=steps)
    months = day.year * 12 + day.month - 1 + steps
    return dt.date(months // 12, months % 12 + 1, 1)

"""Small drawings beside a figure: plain SVG attributes, from real numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 88, 22
_TOP = 2.0


@dataclass(frozen=True, slots=True)
class Spark:
    """Paths, since a page may hold thousands of bars: those of a colour are one."""

    path: str = ""
    area: str = ""
    bars: str = ""
    bad_bars: str = ""


def bars(values: Sequence[float], bad: Sequence[bool] = ()) -> Spark:
    """One bar per value that is not zero; red where it is `bad`."""
    highest = max(values, default=0) or 1
    slot = WIDTH / max(len(values), 1)
    width = max(slot * 0.75, 0.5)
    drawn = {
        number: f"M{number * slot:.2f} {HEIGHT}v-{_height(one, highest):.2f}h{width:.2f}V{HEIGHT}z"
        for number, one in enumerate(values)
        if one
    }
    good = (bar for number, bar in drawn.items() if not _is_bad(bad, number))
    return Spark(
        bars="".join(good),
        bad_bars="".join(bar for number, bar in drawn.items() if _is_bad(bad, number)),
    )


def _is_bad(bad: Sequence[bool], number: int) -> bool:
    return number < len(bad) and bad[number]


def _height(value: float, highest: float) -> float:
    return max(value / highest * (HEIGHT - _TOP), 1.0)


def line(values: Sequence[float | None], highest: float | None = None) -> Spark:
    """A line through the values that exist; nothing where fewer than two do."""
    known = [(number, value) for number, value in enumerate(values) if value is not None]
    if len(known) < 2:  # noqa: PLR2004 - a line needs two ends
        return Spark()
    top = highest or max(value for _, value in known) or 1
    slot = WIDTH / max(len(values) - 1, 1)
    points = [
        (round(number * slot, 1), round(HEIGHT - value / top * (HEIGHT - _TOP), 1))
        for number, value in known
    ]
    path = "M" + " ".join(f"{x} {y}" for x, y in points)
    ground = f"{points[-1][0]} {HEIGHT} {points[0][0]} {HEIGHT}Z"
    return Spark(path=path, area=f"{path} {ground}")

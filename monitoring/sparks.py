"""Small drawings beside a figure: plain SVG attributes, from real numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 88, 22
_TOP = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Spark:
    bars: Sequence[Bar] = ()
    path: str = ""
    area: str = ""


def bars(values: Sequence[float], bad: Sequence[bool] = ()) -> Spark:
    """One bar per value that is not zero; red where it is `bad`."""
    highest = max(values, default=0) or 1
    slot = WIDTH / max(len(values), 1)
    return Spark(
        bars=[
            Bar(
                x=round(number * slot, 2),
                y=round(HEIGHT - _height(value, highest), 2),
                width=round(max(slot * 0.75, 0.5), 2),
                height=round(_height(value, highest), 2),
                is_bad=number < len(bad) and bad[number],
            )
            for number, value in enumerate(values)
            if value
        ]
    )


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

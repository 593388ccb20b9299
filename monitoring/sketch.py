"""Percentiles that add up: counts in buckets, each wider than the one below it by the same factor.

Two sketches added bucket by bucket are the sketch of both, so minutes become hours, and providers
a whole. What is read from one is at most `ERROR` off the value that was measured, whatever its
size (the mapping of DDSketch, https://arxiv.org/abs/1908.10693, read 2026-11-22). Own lines rather
than its library, because that one keeps protobuf: here a database, a person and another process
read the same small list of JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

ERROR = 0.02
_GROWTH = (1 + ERROR) / (1 - ERROR)
_LOG_GROWTH = math.log(_GROWTH)
SMALLEST, LARGEST = 1e-4, 1e7  # what lies outside counts as the border


class Sketch:
    """How often each size was measured. Sizes are positive: seconds, or tokens per second."""

    __slots__ = ("_counts",)

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._counts: dict[int, int] = {}
        for value in values:
            self.add(value)

    @classmethod
    def from_plain(cls, pairs: Sequence[int]) -> Sketch:
        """Read what `to_plain` wrote."""
        sketch = cls()
        sketch._counts = dict(zip(pairs[::2], pairs[1::2], strict=True))
        return sketch

    def to_plain(self) -> list[int]:
        """Bucket, count, bucket, count, ... from the smallest."""
        return [number for pair in sorted(self._counts.items()) for number in pair]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"Sketch of {self.count}"

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    @property
    def total(self) -> float:
        """The sum of what was measured, at most `ERROR` off."""
        return sum(_middle(bucket) * count for bucket, count in self._counts.items())

    def add(self, value: float) -> None:
        self.add_to(bucket_of(value))

    def add_to(self, bucket: int) -> None:
        """As `add`, for who knows the value's bucket: finding it is most of the work."""
        self._counts[bucket] = self._counts.get(bucket, 0) + 1

    def merge(self, other: Sketch) -> None:
        mine = self._counts
        if not mine:
            mine.update(other._counts)
            return
        for bucket, count in other._counts.items():
            mine[bucket] = mine.get(bucket, 0) + count

    def percentile(self, share: float) -> float | None:
        """The nearest rank, at most `ERROR` off; None when nothing was measured."""
        rank, seen = max(math.ceil(share * self.count), 1), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= rank:
                return _middle(bucket)
        return None

    def count_up_to(self, bound: float) -> int:
        """How many were at most `bound`, give or take those within `ERROR` of it."""
        last = bucket_of(bound)
        return sum(count for bucket, count in self._counts.items() if bucket <= last)


def _middle(bucket: int) -> float:
    """As far from the bucket's lower border as from its upper one, in proportion."""
    return 2 * _GROWTH**bucket / (_GROWTH + 1)


def bucket_of(value: float) -> int:
    """Bucket n holds what is above _GROWTH ** (n - 1), up to _GROWTH ** n."""
    return math.ceil(math.log(min(max(value, SMALLEST), LARGEST)) / _LOG_GROWTH)

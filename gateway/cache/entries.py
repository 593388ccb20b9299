"""An entry as it lies in a tier: a short head, then the value as its kind writes it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_FORMAT = 1
_HEAD = struct.Struct("!BBBdQH")  # format, kind's version, is negative, made at, stamp, tags' bytes
_FUTURE_S = 60.0  # clocks of several machines differ by less; one set back differs by more


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something a tier holds."""

    entries: int = 0
    bytes: int = 0

    def plus(self, size: int) -> Amount:
        return Amount(self.entries + 1, self.bytes + size)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept. `payload` of a negative one is the reason, in words.

    `made_at` is Unix time. `stamp` numbers the last invalidation known when making it began:
    every later one that concerns it makes it void.
    """

    payload: bytes
    made_at: float
    stamp: int = 0
    tags: tuple[str, ...] = ()
    is_negative: bool = False
    version: int = 1

    @property
    def size(self) -> int:
        return len(self.payload) + sum(map(len, self.tags))

    def age_s(self, now: float) -> float:
        """Infinite for one made in the future: a clock was set back, and nobody knows its age."""
        age_s = now - self.made_at
        return max(0.0, age_s) if age_s > -_FUTURE_S else float("inf")

    def pack(self) -> bytes:
        return self.head() + self.payload

    def head(self) -> bytes:
        """All but the value."""
        tags = "\n".join(self.tags).encode()
        head = (_FORMAT, self.version, self.is_negative, self.made_at, self.stamp, len(tags))
        return _HEAD.pack(*head) + tags

    @classmethod
    def unpack(cls, kept: bytes) -> Entry | None:
        """None where the bytes are not what `pack` writes."""
        if len(kept) < _HEAD.size or kept[0] != _FORMAT:
            return None
        _, version, is_negative, made_at, stamp, length = _HEAD.unpack_from(kept)
        start = _HEAD.size + length
        if len(kept) < start:
            return None
        try:
            tags = kept[_HEAD.size : start].decode()
        except UnicodeDecodeError:
            return None
        return cls(
            payload=kept[start:],
            made_at=made_at,
            stamp=stamp,
            tags=tuple(tags.split("\n")) if tags else (),
            is_negative=bool(is_negative),
            version=version,
        )

"""Sets of rows as one large number with a bit for each: fast to intersect and to count."""

from __future__ import annotations

from collections.abc import Iterable


def bits_of(places: Iterable[int], count: int) -> int:
    octets = bytearray(count // 8 + 1)
    for place in places:
        octets[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(octets, "little")


def places_of(bits: int) -> list[int]:
    return [place for place, one in enumerate(reversed(f"{bits:b}")) if one == "1"]

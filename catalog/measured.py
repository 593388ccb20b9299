"""How offers did in calls of late, as whoever keeps the calls tells it.

The catalog knows nobody who keeps calls; the site hands in who tells of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

OfferName = tuple[str, str]  # the provider's slug, the offer's id there

_KEEP_S = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Of an offer's calls of the last week. The times are medians, None where no call tells."""

    calls: int
    answered_share: float | None = None  # of those not cancelled by their caller
    first_token_s: float | None = None
    tokens_per_s: float | None = None


Teller = Callable[[], Mapping[OfferName, Measured]]


class _Told:
    def __init__(self) -> None:
        self.teller: Teller = dict
        self.figures: Mapping[OfferName, Measured] = {}
        self.until = 0.0


_told = _Told()


def told_by(teller: Teller) -> None:
    """From now on `teller` is asked; it may take a query, and is asked once a minute at most."""
    _told.teller = teller
    forget()


def measured() -> Mapping[OfferName, Measured]:
    if time.monotonic() >= _told.until:
        _told.figures = _told.teller()
        _told.until = time.monotonic() + _KEEP_S
    return _told.figures


def forget() -> None:
    _told.until = 0.0


def quickest(found: Iterable[Measured]) -> float | None:
    """The shortest usual time to the first token."""
    times = (one.first_token_s for one in found if one.first_token_s is not None)
    return min(times, default=None)


def surest(found: Iterable[Measured]) -> float | None:
    """The largest share that was answered."""
    return max(
        (one.answered_share for one in found if one.answered_share is not None), default=None
    )


def fastest(found: Iterable[Measured]) -> float | None:
    """The most tokens a second."""
    return max((one.tokens_per_s for one in found if one.tokens_per_s is not None), default=None)

"""What is odd in a list that is read all the same: noticed by its readers, counted, worded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from freellm_site.lib.format import quantity


class Oddity(StrEnum):
    """What is wrong with a part of a list that is read all the same."""

    NOT_A_MODEL = "not_a_model"  # an entry that is no table
    NO_ID = "no_id"  # none, or none that can be shown and sent
    TWICE = "twice"  # an id that an earlier entry has, but for its case
    WRONG_KIND = "wrong_kind"  # a value that is not of its field's kind


_noticed: ContextVar[Counter[str] | None] = ContextVar("noticed", default=None)


@contextmanager
def noticing() -> Iterator[Counter[str]]:
    """Count what the readers below stumble over within the block, by `Oddity`."""
    counts: Counter[str] = Counter()
    token = _noticed.set(counts)
    try:
        yield counts
    finally:
        _noticed.reset(token)


def notice(oddity: Oddity) -> None:
    counts = _noticed.get()
    if counts is not None:
        counts[oddity.value] += 1


_WORDS = {
    Oddity.NOT_A_MODEL: ("entry that is no model", "entries that are no models"),
    Oddity.NO_ID: ("entry without a usable id", "entries without a usable id"),
    Oddity.TWICE: ("id that stood there before", "ids that stood there before"),
    Oddity.WRONG_KIND: ("value of an unexpected kind", "values of an unexpected kind"),
}


def odd_words(oddities: Mapping[str, int]) -> str:
    """Such as "2 entries without a usable id, 1 value of an unexpected kind"; "" for none."""
    return ", ".join(
        f"{quantity(count)} {one if count == 1 else many}"
        for oddity, (one, many) in _WORDS.items()
        if (count := oddities.get(oddity, 0))
    )

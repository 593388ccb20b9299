"""Search over names, families and ids of the rows at hand, forgiving a slip of the finger.

In memory, because the rows are there anyway, and because SQLite and PostgreSQL compare words
differently. Distances are rapidfuzz's; only where nothing holds all the words are they asked for.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import and_, or_

from rapidfuzz import process
from rapidfuzz.distance import OSA

from catalog.bitsets import bits_of
from catalog.rows import ModelRow, Shelf

_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_SHORTEST = 4  # of fewer letters every other word is alike
_TWO_SLIPS_FROM = 8
_MOST_ALIKE = 12


@dataclass(frozen=True, slots=True)
class Search:
    """The rows found, a bit for each. `alike`: which words were taken in the place of which."""

    rows: int
    alike: Mapping[str, Sequence[str]] = field(default_factory=dict)


def search_of(shelf: Shelf) -> Searcher:
    if "searcher" not in shelf.kept:
        shelf.kept["searcher"] = Searcher(shelf)
    searcher: Searcher = shelf.kept["searcher"]
    return searcher


class Searcher:
    def __init__(self, rows: Iterable[ModelRow]) -> None:
        self._texts = [_text(row) for row in rows]

    def find(self, words: Sequence[str]) -> Search:
        """The rows that hold every word; where there are none, those that hold words alike."""
        exact = reduce(and_, (self._holding(word) for word in words))
        if exact:
            return Search(exact)
        alike: dict[str, Sequence[str]] = {}
        rows = reduce(and_, (self._forgiving(word, alike) for word in words))
        return Search(rows, alike if rows else {})

    def _holding(self, word: str) -> int:
        """A figure is found where it begins only: “20b” is no part of “120b”, nor of “3.20b”."""
        found = [place for place, text in enumerate(self._texts) if word in text]
        if word[0].isdigit():
            begins = re.compile(rf"(?<![\d.]){re.escape(word)}")
            found = [place for place in found if begins.search(self._texts[place])]
        return bits_of(found, len(self._texts))

    def _forgiving(self, word: str, alike: dict[str, Sequence[str]]) -> int:
        """The rows that hold this word, or each part of it or something like that part."""
        rows = self._holding(word)
        parts = _WORD.findall(word)
        if rows or not parts:
            return rows
        return reduce(and_, (self._holding_like(part, alike) for part in parts))

    def _holding_like(self, part: str, alike: dict[str, Sequence[str]]) -> int:
        rows = self._holding(part)
        if not rows and (near := self._near(part)):
            alike[part] = near
            return reduce(or_, map(self._holding, near))
        return rows

    def _near(self, word: str) -> Sequence[str]:
        """Words that are this one but for a slip, else beginnings of words; figures allow none."""
        if len(word) < _SHORTEST or not word.isalpha():
            return ()
        return _alike(word, self._vocabulary) or _alike(
            word, {one[: len(word)] for one in self._vocabulary}
        )

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return frozenset(word for text in self._texts for word in _LETTERS.findall(text))


def _alike(word: str, choices: Collection[str]) -> Sequence[str]:
    slips = 1 if len(word) < _TWO_SLIPS_FROM else 2
    found = process.extract(
        word, choices, scorer=OSA.distance, score_cutoff=slips, limit=_MOST_ALIKE
    )
    return sorted(one for one, *_ in found)


def _text(row: ModelRow) -> str:
    """Once more without what stands between words, so that “gptoss” finds “gpt-oss” too."""
    ids = " ".join(offer.external_id for offer in row.offers)
    joined = "".join(_WORD.findall(row.name))
    return f"{row.name} {joined} {row.family} {row.slug} {ids}".casefold()

"""A provider's own rule for which listed models are free chat models, as data.

`Provider.list_select` may hold `keep_ids`, `keep_suffixes`, `keep_prefixes`, `keep_words` (where
any is given, an id must match one) and `drop_ids`, `drop_words`; words are parts of an id. Compared
without case. What the rule leaves out keeps a known offer alive but adds none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from catalog.sources.listed import ListedModel

Select = Mapping[str, Sequence[str]]

RULES = frozenset(
    {"keep_ids", "keep_suffixes", "keep_prefixes", "keep_words", "drop_ids", "drop_words"}
)


def selected(listed: Iterable[ListedModel], select: Select) -> list[ListedModel]:
    return [
        replace(one, is_wanted=one.is_wanted and _is_wanted(one.external_id, select))
        for one in listed
    ]


def _is_wanted(external_id: str, select: Select) -> bool:
    lowered = external_id.lower()
    last = lowered.rpartition("/")[2]
    if lowered in _rule(select, "drop_ids"):
        return False
    if any(word in lowered for word in _rule(select, "drop_words")):
        return False
    keeps = (
        *(lowered == one for one in _rule(select, "keep_ids")),
        *(lowered.endswith(one) for one in _rule(select, "keep_suffixes")),
        *(last.startswith(one) for one in _rule(select, "keep_prefixes")),
        *(one in lowered for one in _rule(select, "keep_words")),
    )
    return any(keeps) if keeps else True


def _rule(select: Select, name: str) -> list[str]:
    return [one.lower() for one in select.get(name, ())]

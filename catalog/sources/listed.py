"""What every shape translates to, and careful readers for JSON from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.sources.oddities import Oddity, notice

Entry = Mapping[str, Any]

MAX_ID = 200
MAX_TOKENS = 2_000_000_000


class BadList(Exception):
    """An answer that is no model list; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model of a provider's list. None and "" where the list does not say."""

    external_id: str
    name: str = ""
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    modality: str = ""
    specialties: tuple[str, ...] = ()
    is_wanted: bool = True  # may become an offer; else it only keeps a known one alive


def text(entry: Entry, key: str) -> str:
    value = entry.get(key)
    if isinstance(value, str):
        return value.strip()
    _expect_nothing(value)
    return ""


def tokens(entry: Entry, *keys: str) -> int | None:
    """The first believable count among `keys`: positive, whole, also as text or as 8192.0."""
    for key in keys:
        value = entry.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < MAX_ID:
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_TOKENS:
            return value
        _expect_nothing(value or None)  # some write 0 for what they do not know
    return None


def table(entry: Entry, key: str) -> Entry:
    value = entry.get(key)
    if isinstance(value, dict):
        return value
    _expect_nothing(value)
    return {}


def words(entry: Entry, key: str) -> list[str]:
    """A list of texts; anything else in it is left out."""
    value = entry.get(key)
    if not isinstance(value, list):
        _expect_nothing(value)
        return []
    found = [one for one in value if isinstance(one, str)]
    if len(found) < len(value):
        notice(Oddity.WRONG_KIND)
    return found


def _expect_nothing(value: Any) -> None:
    """What has not the kind that was looked for ought not to be there at all."""
    if value is not None:
        notice(Oddity.WRONG_KIND)


def is_free_of_charge(price: Any) -> bool:
    """Whether a price is stated and zero, as a number or as text."""
    if isinstance(price, bool) or not isinstance(price, (int, float, str)):
        _expect_nothing(price)
        return False
    try:
        return float(price) == 0
    except ValueError:
        notice(Oddity.WRONG_KIND)
        return False


def specialties(words_said: Iterable[str], meaning: Mapping[str, str]) -> tuple[str, ...]:
    """What a list calls a model's features, in our words; each once, unknown ones left out."""
    return tuple(dict.fromkeys(meaning[one] for one in words_said if one in meaning))


def stated_modality(
    entry: Entry, inputs: str = "input_modalities", outputs: str = "output_modalities"
) -> str:
    """The modality by the two lists most providers give, under whatever names."""
    return modality_from(words(entry, inputs), words(entry, outputs))


def modality_from(inputs: list[str], outputs: list[str]) -> str:
    """Empty where the list names no modalities, or ones unknown here."""
    if not outputs or "text" in outputs:
        return "vision" if "image" in inputs else "chat" if inputs else ""
    if "image" in outputs:
        return "image"
    if "audio" in outputs or "speech" in outputs:
        return "tts"
    return "embedding" if any(one.startswith("embedding") for one in outputs) else ""


def is_usable_id(external_id: str) -> bool:
    """Ids are shown, stored and sent: no control characters, no novels."""
    return bool(external_id) and len(external_id) <= MAX_ID and external_id.isprintable()

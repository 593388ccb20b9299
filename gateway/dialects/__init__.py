"""One module per wire format: pure translators, no sleep, no retry, no logging."""

from __future__ import annotations

from gateway.dialects.abilities import Ability, lacking, needed
from gateway.dialects.base import Dialect, Piece, Reply, StreamParser
from gateway.dialects.cohere import CohereDialect
from gateway.dialects.gemini import GeminiDialect
from gateway.dialects.nlpcloud import NLPCloudDialect
from gateway.dialects.openai import OpenAIDialect
from gateway.errors import NotConfigured
from gateway.quirks import Quirks

__all__ = [
    "Ability",
    "Dialect",
    "Piece",
    "Reply",
    "StreamParser",
    "dialect_for",
    "needed",
    "unable",
]

_DIALECTS: dict[str, Dialect] = {
    "openai": OpenAIDialect(),
    "cohere": CohereDialect(),
    "gemini": GeminiDialect(),
    "nlpcloud": NLPCloudDialect(),
}


def dialect_for(name: str) -> Dialect:
    """Raises NotConfigured where the format is not spoken."""
    try:
        return _DIALECTS[name]
    except KeyError:
        spoken = ", ".join(sorted(_DIALECTS))
        raise NotConfigured(
            f"The engine does not speak the wire format “{name}”; it speaks {spoken}."
        ) from None


def unable(dialect: str, quirks: Quirks) -> frozenset[Ability]:
    """What cannot be asked of a target with this format and these quirks."""
    spoken = _DIALECTS.get(dialect)
    return lacking(spoken.wordless if spoken else frozenset(), quirks)

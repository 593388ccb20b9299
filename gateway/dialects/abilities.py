"""What a request may need that not every target can do."""

from __future__ import annotations

from enum import StrEnum

from gateway.quirks import Quirks
from gateway.types import ChatRequest


class Ability(StrEnum):
    IMAGES = "images"
    TOOLS = "tools"
    JSON = "response_format"  # as the parameter that asks for it
    SCHEMA = "json_schema"


def needed(request: ChatRequest) -> frozenset[Ability]:
    wanted = request.response_format
    has_calls = any(one.tool_calls for one in request.messages)
    needs = {
        Ability.IMAGES: any(one.images for one in request.messages),
        Ability.TOOLS: bool(request.tools) or has_calls,
        Ability.JSON: wanted is not None,
        Ability.SCHEMA: wanted is not None and wanted.schema is not None,
    }
    return frozenset(one for one, is_needed in needs.items() if is_needed)


def lacking(wordless: frozenset[str], quirks: Quirks) -> frozenset[Ability]:
    """What a format without words for `wordless` cannot carry, or its provider refuses."""
    missing = wordless | quirks.drops | quirks.refuses
    if Ability.JSON in missing:
        missing |= {Ability.SCHEMA}
    return frozenset(one for one in Ability if one in missing)

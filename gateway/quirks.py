"""Where a provider departs from its wire format: data of the catalog, obeyed by the dialects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

# What may be left out of a request without making it another one; said in the attempt.
DROPPABLE = frozenset(
    {
        *("temperature", "top_p", "max_tokens", "stop", "seed"),
        *("tool_choice", "parallel_tool_calls", "response_format", "json_schema"),
    }
)
# What a request cannot do without: who does not take it is passed by.
REFUSABLE = frozenset({"images", "tools"})


@dataclass(frozen=True, slots=True)
class Quirks:
    """`drops`: parameters the provider refuses. `refuses`: what it cannot be asked at all.

    `renames`: its own names for parameters of the format. `stream_usage`: whether a stream may be
    asked for its usage. `system_role`: if not, system text goes before the user's. `plain_content`:
    a message's content must be a text, neither a list of parts nor null. `not_answers`: words that
    are a relay's verdict where they are all of an answer.
    """

    drops: frozenset[str] = frozenset()
    refuses: frozenset[str] = frozenset()
    renames: tuple[tuple[str, str], ...] = ()
    stream_usage: bool = True
    system_role: bool = True
    plain_content: bool = False
    not_answers: frozenset[str] = frozenset()


def read_quirks(tables: Iterable[Mapping[str, Any]], model: str) -> Quirks:
    """The quirks that hold for a model; raises ValueError where a table makes no sense.

    A table's `models` is a pattern of ids ("gemma-*"); without one it holds for all.
    """
    found = NO_QUIRKS
    for table in tables:
        unknown = table.keys() - {"models", *_READ}
        if unknown:
            raise ValueError(f"quirk {min(unknown)!r}, which is not known")
        read = {name: _READ[name](value) for name, value in table.items() if name != "models"}
        if fnmatchcase(model.lower(), str(table.get("models", "*")).lower()):
            found = replace(found, **read)
    return found


def _names_of(known: frozenset[str]) -> Any:
    def read(value: Any) -> frozenset[str]:
        names = frozenset(value if isinstance(value, list) else ())
        if not isinstance(value, list) or not names <= known:
            raise ValueError(f"{value!r}: a list of {', '.join(sorted(known))} is wanted")
        return names

    return read


def _renames(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or not DROPPABLE.issuperset(value):
        raise ValueError(f"{value!r}: a table of parameters and their names is wanted")
    return tuple(sorted((name, str(theirs)) for name, theirs in value.items()))


def _words(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f"{value!r}: a list of words is wanted")
    return frozenset(one.lower() for one in value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r}: true or false is wanted")  # noqa: TRY004 - data, not code
    return value


NO_QUIRKS = Quirks()
_READ: dict[str, Any] = {
    "drops": _names_of(DROPPABLE),
    "refuses": _names_of(REFUSABLE),
    "renames": _renames,
    "stream_usage": _flag,
    "system_role": _flag,
    "plain_content": _flag,
    "not_answers": _words,
}

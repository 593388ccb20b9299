"""Tools and JSON, as far as a simulated model knows them: what it calls, and what it fills in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_DEEPEST = 50
_BY_TYPE: dict[str, Any] = {
    "string": "simulated",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "array": [],
    "null": None,
}


@dataclass(frozen=True, slots=True)
class Form:
    """A tool that may be called, or the form of a JSON answer. `schema` is JSON text."""

    name: str
    schema: str = "{}"

    @classmethod
    def of(cls, name: Any, schema: Any) -> Form:
        try:
            return cls(str(name), json.dumps(schema if isinstance(schema, dict) else {}))
        except RecursionError:  # nested without end: no form at all
            return cls(str(name))

    def filled(self) -> str:
        """JSON of this form, its values made up."""
        return json.dumps(_filled(json.loads(self.schema)))


ANY_JSON = Form.of("answer", {"properties": {"answer": {"type": "string"}}})


def chosen(tools: Sequence[Form], choice: str, last_role: str) -> Form | None:
    """The tool to call: the one named by `choice`, else the first, but none after a result."""
    if choice == "none" or last_role == "tool":
        return None
    named = [one for one in tools if one.name == choice]
    return next(iter(named or tools), None)


def _filled(schema: Any, depth: int = 0) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    properties = schema.get("properties")
    if isinstance(properties, dict) or schema.get("type") == "object":
        return {name: _filled(one, depth + 1) for name, one in (properties or {}).items()}
    kind = schema.get("type")
    return _BY_TYPE.get(kind) if isinstance(kind, str) else None

"""Reading TOML tables by type and range; every complaint names the field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


class ScenarioError(ValueError):
    """A scenario that makes no sense. The message names the field and what would be right."""


class Table:
    """One TOML table under reading; `done()` complains about fields nobody asked for."""

    def __init__(self, values: object, path: str = "") -> None:
        if not isinstance(values, dict):
            raise ScenarioError(f"{path or 'the scenario'} must be a table, not {values!r:.60}")
        self._values: dict[str, Any] = dict(values)
        self.path = path

    def field(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def complain(self, name: str, wanted: str, got: object) -> ScenarioError:
        return ScenarioError(f"{self.field(name)} must be {wanted}, not {got!r:.60}")

    def text(self, name: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.complain(name, "a non-empty text" if default is None else "a text", value)
        return value

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self._take(name, default)
        if value not in choices:
            raise self.complain(name, f"one of {', '.join(choices)}", value)
        return str(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise self.complain(name, "true or false", value)
        return value

    def integer(self, name: str, default: int | None, *, least: int, most: int) -> int:
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.complain(name, f"a whole number from {least} to {most}", value)
        return value

    def optional_integer(self, name: str, *, least: int, most: int) -> int | None:
        return self.integer(name, None, least=least, most=most) if name in self._values else None

    def number(self, name: str, default: float | None, *, least: float, most: float) -> float:
        value = self._take(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not least <= value <= most:
            raise self.complain(name, f"a number from {least:g} to {most:g}", value)
        return float(value)

    def optional_number(self, name: str, *, least: float, most: float) -> float | None:
        return self.number(name, None, least=least, most=most) if name in self._values else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.complain(name, "a list of texts", value)
        return tuple(value)

    def table(self, name: str) -> Table:
        return Table(self._take(name, {}), self.field(name))

    def tables(self, name: str) -> list[Table]:
        value = self._take(name, [])
        if not isinstance(value, list):
            raise self.complain(name, "a list of tables", value)
        return [Table(one, f"{self.field(name)}[{at}]") for at, one in enumerate(value)]

    def names(self) -> list[str]:
        return list(self._values)

    def done(self) -> None:
        if self._values:
            unknown = ", ".join(self.field(name) for name in sorted(self._values))
            raise ScenarioError(f"unknown in a scenario: {unknown}")

    def _take(self, name: str, default: object) -> Any:
        if name not in self._values and default is None:
            raise ScenarioError(f"{self.field(name)} is missing")
        return self._values.pop(name, default)

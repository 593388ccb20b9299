"""What a tunable is: a typed field with its unit, its bounds and one line of help."""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from typing import Any


def tunable(default: float, *, unit: str, minimum: float, maximum: float, help: str) -> Any:  # noqa: A002 - the word forms use
    """Declare a field of a policy group; what is said here is checked when one is built."""
    metadata = {"unit": unit, "minimum": minimum, "maximum": maximum, "help": help}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Group:
    """Base of the groups: refuses a value outside its bounds with a ValueError naming the field."""

    def __post_init__(self) -> None:
        for one in fields(self):
            _check(one, getattr(self, one.name))


def _check(one: Field[Any], value: float) -> None:
    low, high = one.metadata["minimum"], one.metadata["maximum"]
    is_number = isinstance(value, int | float) and math.isfinite(value)
    if not (is_number and low <= value <= high):
        raise ValueError(f"{one.name} must lie between {low} and {high} {one.metadata['unit']}")
    if isinstance(one.default, int) and value != int(value):
        raise ValueError(f"{one.name} must be a whole number of {one.metadata['unit']}")

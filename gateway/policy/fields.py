"""What a tunable is: a typed field with its unit, its bounds and one line of help."""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar

YES_OR_NO = "yes or no"


class Reach(IntEnum):
    """The nearest level at which a field acts; at a nearer one nobody would read it."""

    EVERYTHING = 0
    PROVIDER = 1
    OFFER = 2


def tunable(
    default: float,
    *,
    label: str,
    unit: str,
    minimum: float,
    maximum: float,
    help: str,  # noqa: A002 - the word forms use
    reach: Reach = Reach.OFFER,
    zero: str = "",
) -> Any:
    """Declare a field of a policy group; what is said here is checked when one is built.

    `zero` is what 0 means where it is no amount, such as "as published".
    """
    metadata = {
        "label": label,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "help": help,
        "reach": reach,
        "zero": zero,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Group:
    """Base of the groups: refuses a value outside its bounds with a ValueError naming the field."""

    TITLE: ClassVar[str] = ""

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

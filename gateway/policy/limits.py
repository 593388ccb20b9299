"""Limits set by hand, by dimension: they hold in place of what is published or named by headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.limits import LIMIT_NAMES, Window
from gateway.policy.fields import Group, tunable

_AS_PUBLISHED = 0
_MOST = 1_000_000_000 - 1


def _limit(name: str) -> Any:
    unit, window = LIMIT_NAMES[name]
    label = f"{unit.capitalize()} {'an' if window is Window.HOUR else 'a'} {window}"
    return tunable(
        _AS_PUBLISHED, unit=str(unit), minimum=_AS_PUBLISHED, maximum=_MOST,
        label=label, zero="as published",
        help="Let through at most, whatever is published or named by a header; 0: as published.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LimitsPolicy(Group):
    """0 is “as published”: what should get nothing at all is hidden in the catalog."""

    TITLE: ClassVar[str] = "Limits"

    rps: int = _limit("rps")
    rpm: int = _limit("rpm")
    rph: int = _limit("rph")
    rpd: int = _limit("rpd")
    rpmonth: int = _limit("rpmonth")
    tps: int = _limit("tps")
    tpm: int = _limit("tpm")
    tph: int = _limit("tph")
    tpd: int = _limit("tpd")
    tpmonth: int = _limit("tpmonth")
    neurons_day: int = _limit("neurons_day")

    @property
    def pinned(self) -> dict[str, int]:
        """The limits that are set, by the field's short names."""
        return {name: amount for name in LIMIT_NAMES if (amount := getattr(self, name))}

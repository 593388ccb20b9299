"""One row per provider: how it did in a picture's span, and how it stands now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitoring import sparks
from monitoring.health import ProviderHealth
from monitoring.series import Picture, Step, merged
from monitoring.sparks import Spark

_MANY_FAILED = 0.2


@dataclass(frozen=True, slots=True)
class ProviderRow:
    slug: str
    name: str
    total: Step
    steps: Sequence[Step]
    health: ProviderHealth | None  # None: no call is sent to it now

    @property
    def first_token_s(self) -> float | None:
        return self.total.percentile("first_token_s", 0.5)

    @property
    def duration_s(self) -> float | None:
        return self.total.percentile("duration_s", 0.5)

    @property
    def tokens_per_s(self) -> float | None:
        return self.total.percentile("tokens_per_s", 0.5)

    @property
    def spark(self) -> Spark:
        """Calls per step; red where many of them failed."""
        calls = [step.calls for step in self.steps]
        bad = [step.failed > step.calls * _MANY_FAILED for step in self.steps]
        return sparks.bars(calls, bad)


def provider_rows(
    picture: Picture, names: Mapping[str, str], healths: Sequence[ProviderHealth]
) -> list[ProviderRow]:
    """The busiest first. A provider that has left the catalog keeps its slug for a name."""
    health_of = {health.slug: health for health in healths}
    rows = [
        ProviderRow(slug, names.get(slug, slug), merged(steps), steps, health_of.get(slug))
        for slug, steps in picture.by_provider.items()
        if slug
    ]
    return sorted(rows, key=lambda row: (-row.total.calls, row.name))

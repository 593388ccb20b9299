"""One row per provider, model, key or user: how it did in a picture's span, and how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from catalog.models import Offer, Provider, ProviderKey
from monitoring import sparks
from monitoring.health import ProviderHealth
from monitoring.owners import owner_names
from monitoring.querysets import ROWS_AT_MOST
from monitoring.series import Measure, Picture, Step, merged
from monitoring.sparks import Spark
from monitoring.subjects import Kind, Subject

_MANY_FAILED = 0.2


@dataclass(frozen=True, slots=True)
class SubjectRow:
    subject: Subject
    name: str
    total: Step
    steps: Sequence[Step]
    under: str = ""  # the provider of a model or key
    health: ProviderHealth | None = None  # of a provider; None: no call is sent to it now

    @property
    def first_token_s(self) -> float | None:
        return self._median("first_token_s")

    @property
    def duration_s(self) -> float | None:
        return self._median("duration_s")

    @property
    def tokens_per_s(self) -> float | None:
        return self._median("tokens_per_s")

    def _median(self, measure: Measure) -> float | None:
        return self.total.percentile(measure, 0.5)

    @property
    def p95_s(self) -> float | None:
        return self.total.percentile("duration_s", 0.95)

    @property
    def spark(self) -> Spark:
        """Calls per step; red where many of them failed."""
        calls = [step.calls for step in self.steps]
        bad = [step.failed > step.calls * _MANY_FAILED for step in self.steps]
        return sparks.bars(calls, bad)


def subject_rows(
    picture: Picture, by: Kind, healths: Sequence[ProviderHealth] = ()
) -> list[SubjectRow]:
    """The busiest first."""
    health_of = {health.slug: health for health in healths}
    busy = {
        subject: (sum(step.calls for step in steps), steps)
        for subject, steps in picture.rows.items()
        if subject.kind is by
    }
    order = sorted(busy, key=lambda one: (-busy[one][0], one))[:ROWS_AT_MOST]
    names = names_of(order)
    return [
        SubjectRow(
            subject=one,
            name=names[one],
            total=merged(busy[one][1]),
            steps=busy[one][1],
            under=names[Subject(Kind.PROVIDER, one.provider)] if one.name and one.provider else "",
            health=health_of.get(one.provider) if by is Kind.PROVIDER else None,
        )
        for one in order
    ]


def names_of(subjects: Iterable[Subject]) -> dict[Subject, str]:
    """What people call them and their providers, in a query per kind; what is gone keeps its id."""
    told = set(subjects)
    told |= {Subject(Kind.PROVIDER, one.provider) for one in told if one.provider}
    kinds = {one.kind for one in told}
    names = {one: one.name or one.provider or "All calls" for one in told}
    slugs = {one.provider for one in told if one.provider}
    if slugs:
        providers = Provider.objects.filter(slug__in=slugs).values_list("slug", "name")
        names |= {Subject(Kind.PROVIDER, slug): name for slug, name in providers}
    if Kind.MODEL in kinds:
        names |= {one: name for one, name in _models(told).items() if one in told}
    if Kind.KEY in kinds:
        names |= {one: name for one, name in _keys(slugs).items() if one in told}
    if Kind.OWNER in kinds:
        owners = owner_names(one.name for one in told if one.kind is Kind.OWNER)
        names |= {Subject(Kind.OWNER, "", owner): name for owner, name in owners.items()}
    return names


def _models(told: set[Subject]) -> dict[Subject, str]:
    models = [one for one in told if one.kind is Kind.MODEL]
    offers = Offer.objects.filter(
        external_id__in={one.name for one in models},
        provider__slug__in={one.provider for one in models},
    ).values_list("provider__slug", "external_id", "model__name")
    return {Subject(Kind.MODEL, slug, model): name for slug, model, name in offers}


def _keys(slugs: set[str]) -> dict[Subject, str]:
    keys = ProviderKey.objects.filter(provider__slug__in=slugs)
    labels = keys.values_list("provider__slug", "pk", "label")
    from_environment = {Subject(Kind.KEY, slug, "env"): "from the environment" for slug in slugs}
    return from_environment | {
        Subject(Kind.KEY, slug, f"k{pk}"): label for slug, pk, label in labels
    }

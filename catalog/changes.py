"""The history of the lists, under the filters of its page, its feed and their addresses."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.utils import timezone

from catalog.models import Change, ChangeKind, Model, Provider
from catalog.paging import read_choice

LONGEST_SEARCH = 200
KINDS = {value: str(label) for value, label in ChangeKind.choices}


@dataclass(frozen=True, slots=True)
class ChangeFilters:
    """Which changes are asked for; "" is any."""

    provider: str = ""
    kind: str = ""
    family: str = ""
    q: str = ""

    @property
    def chosen(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}

    def query(self, **more: str) -> str:
        """The same as a query string, "?" included; "" where nothing is chosen."""
        pairs = more | self.chosen
        return f"?{urlencode(pairs)}" if pairs else ""

    def changes(self) -> QuerySet[Change]:
        """The latest first."""
        found = Change.objects.select_related("provider", "offer__model")
        exact = {
            "provider__slug": self.provider,
            "kind": self.kind,
            "offer__model__family": self.family,
        }
        found = found.filter(**{name: value for name, value in exact.items() if value})
        for word in self.q.split():
            found = found.filter(
                Q(model_name__icontains=word)
                | Q(external_id__icontains=word)
                | Q(detail__icontains=word)
                | Q(provider__name__icontains=word)
            )
        return found


def known_providers() -> dict[str, str]:
    """The names of those that ever changed, by slug."""
    found = Provider.objects.filter(changes__isnull=False).distinct().order_by("name")
    return dict(found.values_list("slug", "name"))


def known_families() -> dict[str, str]:
    found = Model.objects.filter(offers__changes__isnull=False).exclude(family="")
    return {one: one for one in sorted(set(found.values_list("family", flat=True)))}


def filters_of(params: QueryDict) -> ChangeFilters:
    """As an address has them; what is not understood finds nothing."""
    return ChangeFilters(
        provider=params.get("provider", "")[:50],
        kind=params.get("kind", "")[:10],
        family=params.get("family", "")[:60],
        q=_search(params),
    )


def read_filters(
    params: QueryDict,
    providers: Mapping[str, str],
    families: Mapping[str, str],
    notices: list[str],
) -> ChangeFilters:
    """For a page: what is not understood is left out, with a notice."""
    return ChangeFilters(
        provider=read_choice(params, "provider", providers, notices),
        kind=read_choice(params, "kind", KINDS, notices),
        family=read_choice(params, "family", families, notices),
        q=_search(params),
    )


def _search(params: QueryDict) -> str:
    return " ".join(params.get("q", "").split())[:LONGEST_SEARCH]


@dataclass(frozen=True, slots=True)
class Day:
    """One day's changes, by provider."""

    date: dt.date
    providers: Sequence[tuple[Provider, Sequence[Change]]]


def by_day(changes: Sequence[Change]) -> list[Day]:
    """Each day once, the latest first; its providers by name."""
    return [
        Day(date, _by_provider(list(of_day)))
        for date, of_day in groupby(changes, key=lambda one: timezone.localtime(one.at).date())
    ]


def _by_provider(changes: Sequence[Change]) -> list[tuple[Provider, Sequence[Change]]]:
    ordered = sorted(changes, key=lambda one: (one.provider.name.casefold(), one.provider_id))
    groups = (list(found) for _, found in groupby(ordered, key=lambda one: one.provider_id))
    return [(found[0].provider, found) for found in groups]

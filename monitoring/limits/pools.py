"""The quotas of everything that can be called: whose they are, and who draws on them."""

from __future__ import annotations

import datetime as dt
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.candidates import Candidate
from catalog.keys import usable_keys_of
from catalog.live import looks
from catalog.models import Provider
from catalog.snapshot import Snapshot, snapshot
from gateway.limiter.survey import PoolName
from gateway.types import Target


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What the catalog knows of a quota. `title` is its model's name, or that of the pool."""

    name: PoolName
    provider_name: str
    title: str
    models: Mapping[str, str]  # those that draw on it: id there -> name
    published: Mapping[str, int]
    published_on: dt.date | None = None
    key_label: str = ""  # where the provider has several
    is_simulated: bool = False

    @property
    def sharing(self) -> str:
        return f"{len(self.models)} models share it" if len(self.models) > 1 else ""

    @property
    def label(self) -> str:
        return f"{self.title} on {self.provider_name}"

    @property
    def searched(self) -> str:
        words = (self.provider_name, self.title, self.key_label, *self.models.values())
        return " ".join((*words, *self.models)).casefold()


@dataclass(frozen=True, slots=True)
class Watched:
    """Every quota that a call may draw on now."""

    targets: tuple[Target, ...] = field(repr=False)
    pools: Mapping[PoolName, PoolFacts]


_lock = threading.Lock()
_kept: tuple[Snapshot, Watched] | None = None


def watched() -> Watched:
    """Made anew with the catalog's snapshot, which is loaded after every change of it."""
    global _kept  # noqa: PLW0603 - one per process, as the snapshot is
    now = snapshot()
    with _lock:
        if _kept is None or _kept[0] is not now:
            _kept = now, _watched(now)
        return _kept[1]


def _watched(now: Snapshot) -> Watched:
    targets = tuple(looks(now.candidates))
    offers = {(one.provider_slug, one.external_id): one for one in now.candidates}
    sharing: dict[PoolName, list[Candidate]] = defaultdict(list)
    for target in targets:
        name = PoolName(target.provider, target.key_id, target.pool)
        sharing[name].append(offers[target.provider, target.model])
    providers = Provider.objects.filter(slug__in={name.provider for name in sharing})
    of_provider = {one.slug: one for one in providers}
    labels = _key_labels(of_provider)
    return Watched(
        targets,
        {
            name: _facts(name, offers_of, of_provider[name.provider], labels)
            for name, offers_of in sharing.items()
            if name.provider in of_provider
        },
    )


def _facts(
    name: PoolName,
    offers: list[Candidate],
    provider: Provider,
    labels: Mapping[tuple[str, str], str],
) -> PoolFacts:
    is_own = name.pool != "*"
    return PoolFacts(
        name=name,
        provider_name=provider.name,
        title=offers[0].model_name if is_own else provider.pool_name or "All models together",
        models={one.external_id: one.model_name for one in offers},
        published={one.name: one.amount for one in offers[0].limits},
        published_on=provider.facts_as_of,
        key_label=labels.get((name.provider, name.key_id), ""),
        is_simulated=offers[0].is_simulated,
    )


def _key_labels(providers: Mapping[str, Provider]) -> dict[tuple[str, str], str]:
    """Of providers with several keys; where there is one it needs no name."""
    keys = usable_keys_of(providers.values())
    return {
        (slug, key.key_id): key.label
        for slug, provider in providers.items()
        if len(keys[provider.pk]) > 1
        for key in keys[provider.pk]
    }

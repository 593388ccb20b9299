"""The facets of the catalog's pages in words: groups, values with counts, chips."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.browse import GROUPS, Filters, Found
from catalog.models import Modality, Tier
from catalog.rows import NOTHING, UNKNOWN, Shelf

FIRST_VALUES = 8

TITLES = {
    "now": "Now",
    "good": "Good for",
    "kind": "Kind",
    "size": "Size",
    "active": "Active size",
    "context": "Context",
    "provider": "Provider",
    "family": "Family",
    "tier": "Terms",
    "training": "Your prompts",
    "demands": "An account needs",
}
LABELS: dict[str, dict[str, str]] = {
    "now": {"usable": "Callable now", "new": "New this week", "retired": "Retired"},
    "good": {
        "reasoning": "Reasoning",
        "tool-use": "Tools",
        "long-context": "Long context, 200k+",
        "vision": "Images",
        "code": "Code",
        "multilingual": "Many languages",
        "math": "Maths",
        "translation": "Translation",
    },
    "kind": {value: str(label) for value, label in Modality.choices},
    "size": {
        "small": "under 10B",
        "medium": "10B to 40B",
        "large": "40B to 150B",
        "huge": "150B and more",
        UNKNOWN: "not published",
    },
    "active": {
        "tiny": "under 4B",
        "light": "4B to 15B",
        "middling": "15B to 40B",
        "heavy": "40B and more",
        UNKNOWN: "not published",
    },
    "context": {
        "short": "under 32k",
        "usual": "32k to 128k",
        "long": "128k to 200k",
        "longer": "200k to 1M",
        "longest": "1M and more",
        UNKNOWN: "not published",
    },
    "tier": {value: str(label) for value, label in Tier.choices},
    "training": {
        "never": "stay on this machine",
        "outside-europe": "may train outside Europe",
        "used": "may train models",
        UNKNOWN: "nothing said",
    },
    "demands": {
        NOTHING: "nothing that is known",
        "phone": "a phone number",
        "identity": "a verified real name",
        "region": "one certain region",
    },
}
# Whose values do not speak for themselves.
_NAMED_IN_CHIPS = {"size", "active", "context", "training", "demands"}
_CLOSED = {"active", "family", "tier", "training", "demands"}

Labels = Mapping[str, Mapping[str, str]]


def labels_of(shelf: Shelf) -> Labels:
    providers = {slug: one.name for slug, one in shelf.providers.items()}
    return {**LABELS, "provider": providers, "family": {one: one for one in shelf.families}}


@dataclass(frozen=True, slots=True)
class FacetValue:
    value: str
    label: str
    count: int
    is_chosen: bool

    @property
    def is_disabled(self) -> bool:
        """Nothing would be left; a chosen one can always be taken back."""
        return self.count == 0 and not self.is_chosen


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    title: str
    values: Sequence[FacetValue]

    @property
    def first(self) -> Sequence[FacetValue]:
        return self.values[:FIRST_VALUES]

    @property
    def more(self) -> Sequence[FacetValue]:
        """What waits behind a link, so that a long list does not push the rest away."""
        return self.values[FIRST_VALUES:]

    @property
    def more_title(self) -> str:
        what = {"provider": "providers", "family": "families"}.get(self.name, "values")
        return f"More {what}, {len(self.more)}"

    @property
    def is_open(self) -> bool:
        return self.name not in _CLOSED or any(one.is_chosen for one in self.values)


def facets(found: Found, filters: Filters, labels: Labels) -> list[Facet]:
    """Every group with its values; in a long one those with most models first."""
    return [
        Facet(group, TITLES[group], _values(group, labels[group], found, filters))
        for group in GROUPS
    ]


def _values(
    group: str, labels: Mapping[str, str], found: Found, filters: Filters
) -> list[FacetValue]:
    counts, chosen = found.counts[group], filters.of(group)
    values = [
        FacetValue(value, label, counts[value], value in chosen) for value, label in labels.items()
    ]
    if len(values) > FIRST_VALUES:
        values.sort(key=lambda one: (not one.is_chosen, -one.count, one.label.casefold()))
    return values


def chosen_words(filters: Filters, labels: Labels) -> Iterator[tuple[str, str, str]]:
    """What is in force: group, value, and how a chip says it."""
    for group in GROUPS:
        for value in sorted(filters.of(group)):
            label = labels[group][value]
            named = group in _NAMED_IN_CHIPS
            yield group, value, f"{TITLES[group]}: {label}" if named else label


def unknown_notice(group: str, unknown: Collection[str]) -> list[str]:
    return [
        f"“{one[:60]}” is not a choice of {TITLES[group]}; it is ignored."
        for one in sorted(unknown)[:3]
    ]

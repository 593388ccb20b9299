"""What the tuning page shows: fields by group with the value in force and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog.models import Offer, Provider
from gateway.policy import GROUPS, TUNABLES, Reach, Scope, Tunable
from monitoring.tuning.changes import Edit, Values, changed
from monitoring.tuning.drafts import Draft, fields_at
from monitoring.tuning.wording import told

OFFERS_SHOWN = 12
OFFERS_AT_MOST = 500
# Open from the start: at the default few set a limit, below it most do.
_FIRST = {Reach.EVERYTHING: ("limiter",)}
_FIRST_BELOW = ("limits", "limiter")


@dataclass(frozen=True, slots=True)
class Link:
    """A level that says something of a field."""

    level: str
    value: str
    wins: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    tunable: Tunable
    text: str  # as typed, or as set here
    own: str  # as set here, "" where it follows
    inherited: str  # what holds while the field is empty
    chain: tuple[Link, ...]
    error: str
    is_changed: bool

    @property
    def options(self) -> list[tuple[str, str]]:
        return [("", f"as above: {self.inherited}"), ("yes", "yes"), ("no", "no")]

    @property
    def id(self) -> str:
        return self.name.replace(".", "-")

    @property
    def placeholder(self) -> str:
        """What holds while the field is empty, short of the unit that stands beside it."""
        return self.inherited.removesuffix(f"\u00a0{self.tunable.shown_unit}")

    @property
    def bounds(self) -> str:
        """Where they say something: a limit may be as high as one likes."""
        one = self.tunable
        if one.is_yes_or_no or one.zero:
            return ""
        return f"{_spaced(one.shown(one.minimum))} to {_spaced(one.shown(one.maximum))}."


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    title: str
    rows: tuple[Row, ...]
    is_open: bool

    @property
    def set_here(self) -> int:
        return sum(bool(row.own) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Node:
    """A level in the tree."""

    scope: Scope
    label: str
    count: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class Tree:
    providers: list[Node]
    offers: list[Node]  # of the current provider
    more_offers: int


def groups_of(draft: Draft, in_force: Values, published: Mapping[str, int]) -> list[Group]:
    """`published` are the limits of the offer that is tuned, by the field's short names."""
    rows: dict[str, list[Row]] = {name: [] for name in GROUPS}
    for name, tunable in fields_at(draft.scope):
        rows[tunable.group].append(_row(draft, name, tunable, in_force, published))
    first = _FIRST.get(draft.scope.reach, _FIRST_BELOW)
    return [
        Group(name, kind.TITLE, tuple(rows[name]), name in first or _has_news(rows[name]))
        for name, kind in GROUPS.items()
        if rows[name]
    ]


def _has_news(rows: Iterable[Row]) -> bool:
    return any(row.own or row.error or row.is_changed for row in rows)


def _spaced(number: str) -> str:
    """With thin spaces between thousands."""
    whole, dot, rest = number.partition(".")
    return f"{int(whole):,}".replace(",", "\u202f") + dot + rest


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an edit does to the value in force."""

    label: str
    old: str
    new: str
    follows: bool  # the level above from then on


def proposals_of(draft: Draft, in_force: Values) -> list[Proposal]:
    after = changed(in_force, draft.edits)
    return [
        Proposal(
            TUNABLES[edit.name].label,
            _effective(in_force, edit),
            _effective(after, edit),
            edit.new is None,
        )
        for edit in draft.edits
    ]


def _effective(values: Values, edit: Edit) -> str:
    value = TUNABLES[edit.name].default
    for scope in edit.scope.around():
        value = values.get(scope, {}).get(edit.name, value)
    return told(edit.name, value)


def _row(
    draft: Draft, name: str, tunable: Tunable, in_force: Values, published: Mapping[str, int]
) -> Row:
    own = in_force.get(draft.scope, {}).get(name)
    own_text = "" if own is None else tunable.shown(own)
    chain = _chain(draft.scope, name, tunable, in_force, published)
    above = chain[:-1] if own is not None else chain
    return Row(
        name=name,
        tunable=tunable,
        text=draft.typed.get(name, own_text),
        own=own_text,
        inherited=above[-1].value,
        chain=chain,
        error=draft.errors.get(name, ""),
        is_changed=name in draft.edited,
    )


def _chain(
    scope: Scope, name: str, tunable: Tunable, in_force: Values, published: Mapping[str, int]
) -> tuple[Link, ...]:
    """From the built-in default to this level, those that say something; the last one wins."""
    links = [("built in", tunable.told(tunable.default))]
    if tunable.group == "limits" and tunable.name in published:
        links = [("published", tunable.told(published[tunable.name]))]
    for one in scope.around():
        value = in_force.get(one, {}).get(name)
        if value is not None:
            links.append(("here" if one == scope else one.provider or "default", told(name, value)))
    last = len(links) - 1
    return tuple(Link(*link, wins=at == last) for at, link in enumerate(links))


def tree_of(scope: Scope, in_force: Values, names: Mapping[str, str], *, whole: bool) -> Tree:
    """Two queries; of a provider with very many offers those that are tuned come first."""
    slugs = {*names, *(one.provider for one in in_force)} - {""}
    providers = [
        Node(
            Scope(slug),
            names.get(slug, slug),
            sum(len(own) for one, own in in_force.items() if one.provider == slug),
            scope.provider == slug,
        )
        for slug in sorted(slugs, key=lambda slug: names.get(slug, slug).casefold())
    ]
    if not scope.provider:
        return Tree(providers, [], 0)
    offers = Offer.objects.filter(provider__slug=scope.provider).exclude(status="gone")
    known = dict(
        offers.order_by("model__name").values_list("external_id", "model__name")[:OFFERS_AT_MOST]
    )
    tuned = {one.model for one in in_force if one.provider == scope.provider and one.model}
    ids = sorted({*known, *tuned, scope.model} - {""}, key=lambda one: _order(one, tuned, scope))
    shown = ids if whole else ids[:OFFERS_SHOWN]
    nodes = [
        Node(
            Scope(scope.provider, one),
            known.get(one, one),
            len(in_force.get(Scope(scope.provider, one), {})),
            scope.model == one,
        )
        for one in shown
    ]
    return Tree(providers, nodes, len(ids) - len(shown))


def _order(model: str, tuned: set[str], scope: Scope) -> tuple[bool, bool, str]:
    return model != scope.model, model not in tuned, model.casefold()


def provider_names() -> dict[str, str]:
    return dict(Provider.objects.filter(is_retired=False).values_list("slug", "name"))

"""Choices in words: what holds, what its provider says instead, and who decided what when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog.choices import Subject, said
from catalog.models import Aspect, Choice, Model, Offer, Provider
from catalog.offers import limit_words

_WORDS = {
    Aspect.HIDDEN: ("hidden", "shown"),
    Aspect.PINNED: ("pinned", "in its usual place"),
    Aspect.FREE: ("free", "not free"),
}
MOST_KEPT = 100  # of the history, on its page


@dataclass(frozen=True, slots=True)
class ChoiceLine:
    """`instead` is what would hold without it, `before` what held until it was made."""

    choice: Choice
    words: str
    instead: str
    before: str


def choice_lines(subject: Subject) -> tuple[list[ChoiceLine], list[ChoiceLine]]:
    """Those in force, in the order of their aspects, and all of them, the latest first."""
    rows = subject.choices.select_related("author", "ended_by").order_by("-at", "-pk")[:MOST_KEPT]
    every = [_line(one, subject) for one in rows]
    order = list(Aspect)
    held = [one for one in every if one.choice.ended_at is None]
    held.sort(key=lambda line: order.index(Aspect(line.choice.aspect)))
    return held, every


def _line(choice: Choice, subject: Subject) -> ChoiceLine:
    aspect = Aspect(choice.aspect)
    return ChoiceLine(
        choice=choice,
        words=words_of(aspect, choice.value),
        instead=words_of(aspect, said(subject, aspect)),
        before=words_of(aspect, choice.before),
    )


def words_of(aspect: Aspect, value: Any) -> str:
    if aspect == Aspect.LIMITS:
        return _words_of_limits(value or {})
    if aspect in _WORDS:
        yes, no = _WORDS[aspect]
        return yes if value else no
    return str(value) if value else "nothing"


def _words_of_limits(limits: dict[str, int | None]) -> str:
    known = {name: amount for name, amount in limits.items() if amount is not None}
    lifted = [f"no {name}" for name, amount in limits.items() if amount is None]
    return " · ".join([words for words in (limit_words(known), *lifted) if words]) or "none"


def subject_of(kind: str, pk: int) -> Subject | None:
    """The offer, the model or the provider of this id; None where there is none."""
    if kind == "offer":
        return Offer.objects.select_related("provider", "model").filter(pk=pk).first()
    tables: dict[str, type[Model | Provider]] = {"model": Model, "provider": Provider}
    return tables[kind].objects.filter(pk=pk).first() if kind in tables else None


def home_of(subject: Subject) -> str:
    """The page on which it is shown."""
    shown = subject.model if isinstance(subject, Offer) else subject
    return shown.get_absolute_url()

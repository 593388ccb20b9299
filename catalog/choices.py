"""Reading and making an admin's choices for offers, models and providers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from threading import Lock
from typing import Any

from cachetools import TTLCache
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from catalog import generation
from catalog.chosen import FIELDS, NOTHING_CHOSEN, Chosen, Made, chosen_of
from catalog.models import Aspect, Choice, Model, Offer, Provider, SiteChoice

Subject = Offer | Model | Provider
Author = AbstractBaseUser | AnonymousUser | None

# What may be chosen of each. A name belongs to a model: an offer's own is the id calls are sent
# with. Terms and limits are a provider's, so a model has none.
ASPECTS: dict[type[Subject], tuple[Aspect, ...]] = {
    Offer: (Aspect.HIDDEN, Aspect.PINNED, Aspect.LIMITS, Aspect.FREE, Aspect.NOTE),
    Model: (Aspect.HIDDEN, Aspect.PINNED, Aspect.NAME, Aspect.NOTE),
    Provider: (Aspect.LIMITS, Aspect.NOTE),
}
KINDS: dict[type[Subject], str] = {Offer: "offer", Model: "model", Provider: "provider"}
_BATCH = 200
# What the generation does not hear of (a row changed by hand) is seen by age.
_KEEP_S = 10.0


class AllChosen:
    """Every choice in force, read in one query: there are few, however long the catalog is."""

    def __init__(self) -> None:
        rows: dict[tuple[str, int], list[tuple[str, Any, Made]]] = defaultdict(list)
        kinds = tuple(KINDS.values())
        for *pks, aspect, value, author, at in (
            Choice.objects.in_force()
            .order_by()
            .values_list(*kinds, "aspect", "value", "author__username", "at")
        ):
            key = next((kind, pk) for kind, pk in zip(kinds, pks, strict=True) if pk is not None)
            rows[key].append((aspect, value, Made(author or "", at)))
        self._known = {key: chosen_of(found) for key, found in rows.items()}

    def of(self, kind: type[Subject], pk: int) -> Chosen:
        return self._known.get((KINDS[kind], pk), NOTHING_CHOSEN)


# By the catalog's generation; two, as one is replaced by the next.
_kept: TTLCache[int, AllChosen] = TTLCache(2, _KEEP_S, time.monotonic)
_lock = Lock()


def all_chosen() -> AllChosen:
    """What is in force, read anew when the catalog changed or Redis is away."""
    number = generation.current()
    if number is None:
        return AllChosen()
    with _lock:
        every = _kept.get(number)
    if every is None:
        every = AllChosen()
        with _lock:
            _kept[number] = every
    return every


def forget() -> None:
    """Read anew next time, whatever the generation says."""
    with _lock:
        _kept.clear()


def attach(offers: Sequence[Offer]) -> None:
    """Give each offer, its model and its provider, which must be read already, their choices."""
    if not offers:
        return
    every = all_chosen()
    for offer in offers:
        offer.chosen = every.of(Offer, offer.pk)
        offer.model.chosen = every.of(Model, offer.model_id)
        offer.provider.chosen = every.of(Provider, offer.provider_id)


def choose(subjects: Sequence[Subject], aspect: Aspect, value: Any, user: Author) -> int:
    """Choose the same for all of them, which are of one kind; answer how many it is new for."""
    with transaction.atomic():
        _wait_for_our_turn(subjects)
        new = [one for one in subjects if not _is_chosen(one, aspect, value)]
        before = [in_force(one, aspect) for one in new]
        _end(new, aspect, user)
        Choice.objects.bulk_create(
            (
                Choice(
                    **{KINDS[type(one)]: one},
                    aspect=aspect,
                    value=value,
                    before=held,
                    author_id=user.pk if user else None,
                )
                for one, held in zip(new, before, strict=True)
            ),
            batch_size=_BATCH,
        )
    _tell(new)
    return len(new)


def take_back(subjects: Sequence[Subject], aspect: Aspect, user: Author) -> int:
    """Let the catalog's own facts hold again; answer for how many that changes anything."""
    with transaction.atomic():
        ended = _end(subjects, aspect, user)
    _tell(subjects)
    return ended


def in_force(subject: Subject, aspect: Aspect) -> Any:
    """What holds: the choice, else what the catalog's facts say."""
    if aspect == Aspect.LIMITS and not isinstance(subject, Model):
        return subject.effective_limits
    is_made = aspect in subject.chosen.made
    return getattr(subject.chosen, FIELDS[aspect]) if is_made else said(subject, aspect)


def said(subject: Subject, aspect: Aspect) -> Any:
    """What refreshes and the mapping say, and would hold without a choice."""
    if aspect == Aspect.LIMITS and not isinstance(subject, Model):
        return subject.published_limits
    if aspect == Aspect.NAME:
        return subject.name
    return {Aspect.FREE: True, Aspect.NOTE: ""}.get(aspect, False)


def _wait_for_our_turn(subjects: Sequence[Subject]) -> None:
    """One admin after the other; then what was chosen is read anew, in case it changed."""
    SiteChoice.objects.select_for_update().get(pk=SiteChoice.current().pk)
    every = AllChosen()
    for one in subjects:
        one.chosen = every.of(type(one), one.pk)


def _is_chosen(subject: Subject, aspect: Aspect, value: Any) -> bool:
    is_made = aspect in subject.chosen.made
    return is_made and getattr(subject.chosen, FIELDS[aspect]) == value


def _end(subjects: Sequence[Subject], aspect: Aspect, user: Author) -> int:
    if not subjects:
        return 0
    name = KINDS[type(subjects[0])]
    held = Choice.objects.in_force().filter(aspect=aspect)
    ended = 0
    for start in range(0, len(subjects), _BATCH):
        pks = [one.pk for one in subjects[start : start + _BATCH]]
        some = held.filter(**{f"{name}__in": pks})
        ended += some.update(ended_at=timezone.now(), ended_by=user.pk if user else None)
    return ended


def _tell(subjects: Sequence[Subject]) -> None:
    """Every process reads anew, these rows too."""
    generation.bump()
    for one in subjects:
        one.__dict__.pop("chosen", None)

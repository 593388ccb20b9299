"""What an admin decides about a held list."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from catalog.apply import locked_offers, write
from catalog.diff import compare
from catalog.held import listed_in
from catalog.models import HeldList, HeldState


def apply_held(held: HeldList, user: AbstractBaseUser) -> bool:
    """Apply the list as it was read then; False where it is decided already.

    What it lacks goes missing, and is gone when the next list lacks it as well.
    """
    with transaction.atomic():
        known = locked_offers(held.provider)
        if not _decide(held, HeldState.APPLIED, user):
            return False
        write(held.provider, compare(known, listed_in(held), held.created_at), held.refresh)
    return True


def dismiss_held(held: HeldList, user: AbstractBaseUser) -> bool:
    """Keep what is known, also when the same list comes again; False where it is decided."""
    return _decide(held, HeldState.DISMISSED, user)


def _decide(held: HeldList, state: HeldState, user: AbstractBaseUser) -> bool:
    """The row count tells who of two was first."""
    waiting = HeldList.objects.filter(pk=held.pk, state=HeldState.WAITING)
    return waiting.update(state=state, decided_by_id=user.pk, decided_at=timezone.now()) == 1

"""Who asked: the engine knows an owner as `user:1`, people know a name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.contrib.auth import get_user_model

_USER = re.compile(r"user:([0-9]{1,18})")


def owner_names(owners: Iterable[str]) -> dict[str, str]:
    """What to call each owner, found in one query; an owner who is no user stands as told."""
    told = set(owners)
    ids = {owner: int(match[1]) for owner in told if (match := _USER.fullmatch(owner))}
    if not ids:
        return {owner: owner for owner in told}
    users = get_user_model().objects.filter(pk__in=set(ids.values()))
    names = {pk: str(name) for pk, name in users.values_list("pk", "username")}
    removed = {owner: f"user {pk}, removed" for owner, pk in ids.items()}
    known = {owner: names[pk] for owner, pk in ids.items() if pk in names}
    return {owner: owner for owner in told} | removed | known

"""What calls are counted by: all of them, a provider, a model there, a key, who asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from django.db import models


class Kind(models.TextChoices):
    ALL = "all", "everything"
    PROVIDER = "provider", "provider"
    MODEL = "model", "model"
    KEY = "key", "key"
    OWNER = "owner", "user"


class Subject(NamedTuple):
    """One of a kind. Models and keys belong to a provider, owners to none."""

    kind: Kind
    provider: str = ""
    name: str = ""

    @property
    def query(self) -> str:
        """As an address names it: what `asked_subject` reads."""
        said = {"provider": self.provider, _NAMED_BY.get(self.kind, "name"): self.name}
        return urlencode({name: value for name, value in said.items() if value})


_NAMED_BY = {Kind.MODEL: "model", Kind.KEY: "key", Kind.OWNER: "user"}
OF_A_PROVIDER = (Kind.MODEL, Kind.KEY)
EVERYTHING = Subject(Kind.ALL)
NO_KEY = "none"  # as the engine calls it


def subjects_of(provider: str, model: str, key_id: str, owner: str) -> Iterator[Subject]:
    """What one call counts for."""
    yield EVERYTHING
    if provider:  # else it reached none
        yield Subject(Kind.PROVIDER, provider)
        yield Subject(Kind.MODEL, provider, model)
        if key_id != NO_KEY:
            yield Subject(Kind.KEY, provider, key_id)
    if owner:
        yield Subject(Kind.OWNER, "", owner)


def asked_subject(asked: Mapping[str, str]) -> Subject:
    """`?provider=`, with `&model=` or `&key=`; or `?user=`."""
    provider = asked.get("provider", "")[:80]
    for kind in OF_A_PROVIDER:
        if provider and (name := asked.get(_NAMED_BY[kind], "")):
            return Subject(kind, provider, name[:200])
    if provider:
        return Subject(Kind.PROVIDER, provider)
    owner = asked.get("user", "")[:150]
    return Subject(Kind.OWNER, "", owner) if owner else EVERYTHING


def asked_kind(asked: Mapping[str, str]) -> Kind:
    """`?by=`: what a table tells apart."""
    by = asked.get("by", "")
    return Kind(by) if by in TOLD_APART else Kind.PROVIDER


TOLD_APART = tuple(kind.value for kind in Kind if kind is not Kind.ALL)

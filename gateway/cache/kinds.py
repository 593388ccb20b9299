"""The kinds of data that are kept: how each is written, and how long each lives (in the policy)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gateway.cache.plain import from_json, to_json
from gateway.types import Completion

T = TypeVar("T")


class NotThere(Exception):
    """The origin says that there is no such thing; believed for a short time."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of data. Its name is that of its lifetimes in the policy.

    `decode` raises ValueError on what it does not understand; a new `version` makes everything
    kept before unknown. A secret never leaves the process' memory.
    """

    name: str
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    version: int = 1
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class FetchedList:
    """A list as a provider sent it, and by what it can say next time that nothing has changed."""

    body: str
    etag: str = ""
    modified: str = ""


def _json(name: str) -> Kind[Any]:
    """Plain JSON values."""
    return Kind(name, to_json, json.loads)


def _typed(name: str, kind: type[T], version: int = 1) -> Kind[T]:
    return Kind(name, to_json, lambda kept: from_json(kind, kept), version)


COMPLETION = _typed("completion", Completion)
MODEL_LIST = _typed("model_list", FetchedList)
MODEL_METADATA = _json("model_metadata")
MODEL_STATUS = _json("model_status")
CREDENTIALS: Kind[str] = Kind("credentials", str.encode, bytes.decode, is_secret=True)
BENCHMARK = _json("benchmark")

KINDS: tuple[Kind[Any], ...] = (
    *(COMPLETION, MODEL_LIST, MODEL_METADATA),
    *(MODEL_STATUS, CREDENTIALS, BENCHMARK),
)

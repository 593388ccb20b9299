"""Frozen dataclasses to JSON and back, by their type hints: what is kept is typed, never pickled.

JSON of the standard library rather than a binary format: entries are a few kilobytes of text, it
takes microseconds, needs no further dependency, and what lies in a store can be read by a person.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]


def to_json(value: object) -> bytes:
    """Raises TypeError on what has no plain form, such as a Secret."""
    return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def from_json(kind: type[T], kept: bytes) -> T:
    """Raises ValueError where `kept` is not what `to_json` writes for this type."""
    form: Any = kind
    try:
        value: T = _reader(form)(json.loads(kept))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"This is no {kind.__name__}.") from error
    return value


def digest(value: object) -> str:
    """Of equal values the same one: 1 and 1.0, and mappings in any order, are equal."""
    canonical = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if names := _names(value.__class__):
        return {name: getattr(value, name) for name in names}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"A {type(value).__name__} has no plain form.")


@lru_cache(maxsize=200)
def _names(kind: type[Any]) -> tuple[str, ...]:
    """The fields of a dataclass; of anything else none."""
    return tuple(one.name for one in fields(kind)) if is_dataclass(kind) else ()


def _canonical(value: object) -> Any:
    if isinstance(value, str | None):
        return value
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _canonical(one) for name, one in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int | float):
        return value
    # The name tells apart types with equal fields, such as the parts of a message.
    return [type(value).__name__, _canonical(_plain(value))]


@lru_cache(maxsize=200)
def _reader(kind: Any) -> Reader:  # noqa: PLR0911 - one line for each form of type
    """What turns plain JSON into `kind`; raises ValueError, KeyError or TypeError."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda said: said
    if is_dataclass(kind):
        return _dataclass_reader(kind)
    if origin in (Union, types.UnionType):
        return _union_reader(args)
    if origin is Literal:
        return lambda said: args[args.index(said)]
    if origin is tuple:
        each = _reader(args[0])
        return lambda said: tuple([each(one) for one in _checked(said, list)])
    if origin in (list, dict, Mapping) or (isinstance(origin, type) and origin is not tuple):
        form = list if origin is list else dict
        return lambda said: _checked(said, form)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    accepted = (int, float) if kind is float else kind
    return lambda said: _checked(said, accepted)


def _dataclass_reader(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    known = [one for one in fields(kind) if one.init]
    readers = {one.name: _reader(hints[one.name]) for one in known}
    needed = {
        one.name for one in known if one.default is MISSING and one.default_factory is MISSING
    }

    def read(said: Any) -> Any:
        if needed - said.keys():
            raise KeyError
        return kind(**{name: readers[name](one) for name, one in said.items()})

    return read


def _union_reader(args: tuple[Any, ...]) -> Reader:
    readers = [_reader(one) for one in args if one is not type(None)]

    def read(said: Any) -> Any:
        if said is None and type(None) in args:
            return None
        for reader in readers[:-1]:
            try:
                return reader(said)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return readers[-1](said)

    return read


def _checked(said: Any, kind: Any) -> Any:
    """JSON's true is no number here."""
    if not isinstance(said, kind) or (isinstance(said, bool) and kind is not bool):
        raise TypeError
    return said

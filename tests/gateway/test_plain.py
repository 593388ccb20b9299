"""What is kept as JSON comes back as the type it was, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.answers import answer_key
from gateway.cache.plain import digest, from_json, to_json
from gateway.types import CacheMode, Priority, Secret
from tests.gateway.upstream import ask, make_target


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Leaf:
    word: Literal["a", "b"] = "a"
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    name: str
    count: int
    is_old: bool
    leaves: tuple[Leaf, ...] = ()
    colour: Colour = Colour.RED
    more: Mapping[str, Any] | None = None


_leaves = st.builds(Leaf, st.sampled_from(["a", "b"]), st.none() | st.floats(allow_nan=False))
_trees = st.builds(
    Tree,
    st.text(),
    st.integers(),
    st.booleans(),
    st.lists(_leaves, max_size=3).map(tuple),
    st.sampled_from(Colour),
    st.none() | st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3)),
)


@given(tree=_trees)
def test_it_comes_back(tree: Tree) -> None:
    """Nested values, enumerations and what is absent."""
    assert from_json(Tree, to_json(tree)) == tree


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"name": "x"}',
        b'{"name": 1, "count": 1, "is_old": true}',
        b'{"name": "x", "count": true, "is_old": true}',
        b'{"name": "x", "count": 1, "is_old": 1}',
        b'{"name": "x", "count": 1, "is_old": true, "surplus": 1}',
        b'{"name": "x", "count": 1, "is_old": true, "colour": "green"}',
        b'{"name": "x", "count": 1, "is_old": true, "leaves": [{"word": "c"}]}',
        b'{"name": "x", "count": 1, "is_old": true, "leaves": {}}',
    ],
)
def test_nonsense_is_refused(kept: bytes) -> None:
    """One error for whatever is wrong with it."""
    with pytest.raises(ValueError, match=r"\w"):
        from_json(Tree, kept)


def test_a_secret_has_no_plain_form() -> None:
    """It cannot be kept by mistake."""
    with pytest.raises(TypeError):
        to_json({"key": Secret("sk-made-up")})


def test_equal_values_have_equal_digests() -> None:
    """The order of a mapping and the form of a number make no difference; everything else does."""
    assert digest({"a": 1, "b": 2.0}) == digest({"b": 2, "a": 1.0})
    values = [0, 0.5, "0", None, True, [], [[]], {}, {"0": 0}, Leaf(), Leaf("b"), Tree("", 0, True)]
    assert len({digest(one) for one in values}) == len(values)


def test_only_what_is_asked_makes_the_key() -> None:
    """Who is in a hurry, and where the call came from, is another matter."""
    target = make_target()
    asked = ask(temperature=0)
    for hurried in (
        replace(asked, priority=Priority.BATCH),
        replace(asked, deadline_s=1),
        replace(asked, source="api", call_id="another"),
        replace(asked, cache=CacheMode.REFRESH),
        replace(asked, temperature=0.0),
    ):
        assert answer_key(hurried, target) == answer_key(asked, target)
    for other in (
        replace(target, provider="another"),
        replace(target, base_url="another"),
        replace(target, model="another"),
        replace(target, dialect="another"),
    ):
        assert answer_key(asked, other) != answer_key(asked, target)
    assert answer_key(asked, replace(target, key=Secret("sk-another"))) == answer_key(asked, target)

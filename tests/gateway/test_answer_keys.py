"""The cache's key: two requests share an answer only if they ask the very same thing."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.answers import answer_key, decode, encode
from gateway.types import (
    CacheMode,
    ChatRequest,
    Completion,
    ImagePart,
    JsonFormat,
    Message,
    NamedTool,
    Priority,
    TextPart,
    Tool,
    ToolCall,
    Usage,
)
from tests.gateway.upstream import ask, make_target

_TARGET = make_target()

# For each field that asks for something, values that all differ.
_ASKED: dict[str, list[Any]] = {
    "messages": [
        (Message("user", "Hi"),),
        (Message("user", "Hi"), Message("user", "Hi")),
        (Message("user", "HiHi"),),
        (Message("system", "Hi"),),
        (Message("user", parts=(TextPart("Hi"),)),),
        (Message("user", parts=(ImagePart("Hi"),)),),
        (Message("user", parts=(TextPart("H"), TextPart("i"))),),
        (Message("tool", "Hi", tool_call_id="1"),),
        (Message("tool", "Hi", tool_call_id="2"),),
        (Message("assistant", tool_calls=(ToolCall("1", "f", "{}"),)),),
        (Message("assistant", tool_calls=(ToolCall("1", "f", "{}", "signed"),)),),
    ],
    "temperature": [None, 0.0, 0.5],
    "top_p": [None, 0.0, 0.5],
    "max_tokens": [None, 1, 2],
    "stop": [(), ("a", "b"), ("ab",), ("b", "a")],
    "seed": [None, 0, 1],
    "tools": [(), (Tool("f"),), (Tool("f", "d"),), (Tool("f", "", {"type": "object"}),)],
    "tool_choice": [None, "auto", "none", NamedTool("auto")],
    "parallel_tool_calls": [None, True, False],
    "response_format": [
        None,
        JsonFormat(),
        JsonFormat({}),
        JsonFormat({"type": "object"}),
        JsonFormat({"type": "object"}, strict=True),
    ],
    "owner": ["", "u1", "u2"],
}
_OF_THE_CALL: dict[str, Any] = {
    "priority": Priority.BATCH,
    "cache": CacheMode.REFRESH,
    "deadline_s": 1.0,
    "tests_key": True,
    "source": "playground",
    "call_id": "another",
}


def key_of(**asked: Any) -> str:
    return answer_key(replace(ask(), **asked), _TARGET)


def test_every_field_has_its_part_in_these_tests() -> None:
    """Who adds a field decides here whether it asks for something."""
    assert {one.name for one in fields(ChatRequest)} == _ASKED.keys() | _OF_THE_CALL.keys()
    assert not _ASKED.keys() & _OF_THE_CALL.keys()


@pytest.mark.parametrize("name", sorted(_ASKED))
def test_whatever_differs_makes_another_key(name: str) -> None:
    """Text is not a picture, a tool called "auto" not the wish for any."""
    assert len({key_of(**{name: value}) for value in _ASKED[name]}) == len(_ASKED[name])


@pytest.mark.parametrize("name", sorted(_OF_THE_CALL))
def test_how_it_is_called_does_not(name: str) -> None:
    """In a hurry or not, it is the same question."""
    assert key_of(**{name: _OF_THE_CALL[name]}) == key_of()


@given(
    one=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _ASKED.items()}),
    other=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _ASKED.items()}),
)
def test_keys_are_equal_only_where_all_is(one: dict[str, Any], other: dict[str, Any]) -> None:
    """No two fields make up for one another."""
    assert (key_of(**one) == key_of(**other)) == (one == other)


def test_the_order_in_a_schema_means_nothing() -> None:
    """JSON objects have none."""
    one, other = {"type": "object", "title": "x"}, {"title": "x", "type": "object"}
    assert key_of(response_format=JsonFormat(one)) == key_of(response_format=JsonFormat(other))


def test_a_kept_answer_keeps_all_it_said() -> None:
    """Thoughts, tool calls and what was left out come back, too."""
    answer = Completion(
        call_id="1",
        text="",
        finish_reason="tool_calls",
        usage=Usage(1, 2),
        provider="p",
        model="m",
        label="l",
        reasoning="Hm.",
        tool_calls=(ToolCall("c1", "f", '{"a": 1}', "signed"),),
        dropped=("seed",),
    )
    assert decode(encode(answer), "2", "disk") == replace(answer, call_id="2", cached="disk")

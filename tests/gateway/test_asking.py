"""Requests as each wire format has them, and what is left out where a provider would refuse it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects import Ability, dialect_for, needed
from gateway.errors import InvalidRequest, NotConfigured
from gateway.quirks import DROPPABLE, Quirks, read_quirks
from gateway.types import (
    ChatRequest,
    ImagePart,
    JsonFormat,
    Message,
    NamedTool,
    TextPart,
    Tool,
    ToolCall,
)
from tests.gateway.upstream import make_target

_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
_WEATHER = Tool("weather", "Tells the weather.", _SCHEMA)
_CLOCK = Tool("clock")
_PIXEL = "data:image/png;base64,iVBORw0KGgo="
_PICTURED = Message("user", parts=(TextPart("What is this?"), ImagePart(_PIXEL)))
_TURNS = (
    Message("system", "Be brief."),
    Message("user", "Rain?"),
    Message(
        "assistant",
        tool_calls=(
            ToolCall("c1", "weather", '{"city": "Paris"}', "c2ln"),
            ToolCall("c2", "clock", "{}"),
        ),
    ),
    Message("tool", '{"sky": "grey"}', tool_call_id="c1"),
    Message("tool", "noon", tool_call_id="c2"),
)


def sent(
    dialect: str,
    *messages: Message,
    model: str = "m",
    quirks: Quirks | None = None,
    stream: bool = False,
    **asked: Any,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body that goes out, and what was left out of it."""
    request = ChatRequest(messages or (Message("user", "Hi"),), **asked)
    target = make_target("https://host/v1", model, quirks=quirks or Quirks())
    outgoing = dialect_for(dialect).build_request(target, request, stream=stream)
    assert outgoing.body is not None
    body: dict[str, Any] = json.loads(outgoing.body)
    return body, outgoing.dropped


# --- tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["openai", "cohere"])
def test_tools_and_their_results(dialect: str) -> None:
    """Declared with their schema; calls and results refer to one another by id."""
    body, dropped = sent(dialect, *_TURNS, tools=(_WEATHER, _CLOCK))
    assert not dropped
    assert body["tools"][0] == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tells the weather.",
            "parameters": _SCHEMA,
        },
    }
    assert body["tools"][1]["function"]["parameters"] == {"type": "object", "properties": {}}
    *_, assistant, first, second = body["messages"]
    assert assistant["content"] is None
    assert assistant["tool_calls"][0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
    }
    assert first == {"role": "tool", "content": '{"sky": "grey"}', "tool_call_id": "c1"}
    assert second["tool_call_id"] == "c2"


@pytest.mark.parametrize(
    ("choice", "openai", "cohere", "gemini"),
    [
        ("auto", "auto", None, {"mode": "AUTO"}),
        ("none", "none", "NONE", {"mode": "NONE"}),
        ("required", "required", "REQUIRED", {"mode": "ANY"}),
        (
            NamedTool("clock"),
            {"type": "function", "function": {"name": "clock"}},
            "REQUIRED",
            {"mode": "ANY", "allowedFunctionNames": ["clock"]},
        ),
    ],
)
def test_which_tool_is_wanted(choice: Any, openai: Any, cohere: Any, gemini: Any) -> None:
    """Cohere cannot name one: it is shown no other."""
    asked = {"tools": (_WEATHER, _CLOCK), "tool_choice": choice}
    assert sent("openai", **asked)[0]["tool_choice"] == openai
    said, _ = sent("cohere", **asked)
    assert said.get("tool_choice") == cohere
    assert len(said["tools"]) == (1 if isinstance(choice, NamedTool) else 2)
    assert sent("gemini", **asked)[0]["toolConfig"] == {"functionCallingConfig": gemini}


def test_gemini_turns_of_tools() -> None:
    """Results follow in one turn, under their tools' names; what is no object becomes one."""
    body, _ = sent("gemini", *_TURNS, tools=(_WEATHER,))
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "Tells the weather.",
                    "parametersJsonSchema": _SCHEMA,
                }
            ]
        }
    ]
    assert body["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {"name": "weather", "args": {"city": "Paris"}},
                    "thoughtSignature": "c2ln",
                },
                {"functionCall": {"name": "clock", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "weather", "response": {"sky": "grey"}}},
                {"functionResponse": {"name": "clock", "response": {"result": "noon"}}},
            ],
        },
    ]


def test_a_call_of_another_model_passes_googles_check() -> None:
    """From version 3 on each call needs a signature; others have none to give."""
    body, _ = sent("gemini", *_TURNS, model="gemini-3.5-flash", tools=(_WEATHER,))
    signed = [part["thoughtSignature"] for part in body["contents"][1]["parts"]]
    assert signed == ["c2ln", "skip_thought_signature_validator"]


def test_a_result_without_its_call() -> None:
    """Gemini goes by the tool's name, which only the call tells."""
    with pytest.raises(InvalidRequest, match="c9"):
        sent("gemini", Message("tool", "noon", tool_call_id="c9"))


# --- JSON, pictures, parameters ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "openai", "cohere", "gemini"),
    [
        (
            JsonFormat(),
            {"type": "json_object"},
            {"type": "json_object"},
            {"responseMimeType": "application/json"},
        ),
        (
            JsonFormat(_SCHEMA, "place", strict=True),
            {
                "type": "json_schema",
                "json_schema": {"name": "place", "schema": _SCHEMA, "strict": True},
            },
            {"type": "json_object", "json_schema": _SCHEMA},
            {"responseMimeType": "application/json", "responseJsonSchema": _SCHEMA},
        ),
    ],
)
def test_json_wanted(wanted: JsonFormat, openai: Any, cohere: Any, gemini: Any) -> None:
    """JSON of any form, and of a given one."""
    assert sent("openai", response_format=wanted)[0]["response_format"] == openai
    assert sent("cohere", response_format=wanted)[0]["response_format"] == cohere
    assert sent("gemini", response_format=wanted)[0]["generationConfig"] == gemini


def test_pictures() -> None:
    """As parts beside the text; Google wants the data and its kind apart, or an address."""
    said = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": _PIXEL}},
    ]
    assert sent("openai", _PICTURED)[0]["messages"][0]["content"] == said
    assert sent("cohere", _PICTURED)[0]["messages"][0]["content"] == said
    far = Message("user", parts=(ImagePart("https://host/a.jpg?x=1"),))
    contents = sent("gemini", _PICTURED, far)[0]["contents"]
    assert contents[0]["parts"][1] == {
        "inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}
    }
    assert contents[1]["parts"] == [
        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://host/a.jpg?x=1"}}
    ]


_ALL_ASKED: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 7,
    "stop": ("END",),
    "seed": 3,
    "tools": (_WEATHER,),
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": JsonFormat(_SCHEMA),
}


def test_parameters_by_their_names() -> None:
    """Each format has its own; what it has no words for is left out and said."""
    body, dropped = sent("openai", **_ALL_ASKED)
    assert _only(body, "temperature", "top_p", "max_tokens", "stop", "seed") == {
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop": ["END"], "seed": 3,
    }  # fmt: skip
    assert (body["parallel_tool_calls"], dropped) == (False, ())
    body, dropped = sent("cohere", **_ALL_ASKED)
    assert _only(body, "temperature", "p", "max_tokens", "stop_sequences", "seed") == {
        "temperature": 0.5, "p": 0.9, "max_tokens": 7, "stop_sequences": ["END"], "seed": 3,
    }  # fmt: skip
    assert dropped == ("parallel_tool_calls",)
    body, dropped = sent("gemini", **_ALL_ASKED)
    assert _only(body["generationConfig"], "temperature", "topP", "maxOutputTokens", "seed") == {
        "temperature": 0.5, "topP": 0.9, "maxOutputTokens": 7, "seed": 3,
    }  # fmt: skip
    assert dropped == ("parallel_tool_calls",)


def _only(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: body[name] for name in names}


def test_nlp_cloud_takes_one_exchange_at_a_time() -> None:
    """What was said before it is its history, the system's text its context."""
    said = (
        Message("system", "Be brief."),
        Message("user", "Hi"),
        Message("assistant", "Yes?"),
        Message("user", "One."),
        Message("user", "Two."),
    )
    body, dropped = sent("nlpcloud", *said, seed=3, response_format=JsonFormat())
    assert body == {
        "input": "One.\n\nTwo.",
        "context": "Be brief.",
        "history": [{"input": "Hi", "response": "Yes?"}],
    }
    assert dropped == ("response_format", "seed")
    with pytest.raises(InvalidRequest, match="end with"):
        sent("nlpcloud", *said[:3])


# --- quirks --------------------------------------------------------------------------------------


def test_what_a_provider_refuses_is_left_out_and_named() -> None:
    """Nothing of it goes out; what was not asked for is not named."""
    body, dropped = sent("openai", quirks=Quirks(drops=DROPPABLE), **_ALL_ASKED)
    assert body.keys() == {"model", "messages", "tools"}
    assert set(dropped) == DROPPABLE - {"json_schema"}
    assert sent("openai", quirks=Quirks(drops=DROPPABLE), seed=3)[1] == ("seed",)


def test_json_of_any_form_stands_in_for_a_schema() -> None:
    """The next best, and it is said."""
    quirks = Quirks(drops=frozenset({"json_schema"}))
    body, dropped = sent("openai", quirks=quirks, response_format=JsonFormat(_SCHEMA))
    assert (body["response_format"], dropped) == ({"type": "json_object"}, ("json_schema",))
    body, dropped = sent("openai", quirks=quirks, response_format=JsonFormat())
    assert (body["response_format"], dropped) == ({"type": "json_object"}, ())


def test_a_providers_own_names() -> None:
    """Renamed, not dropped."""
    renames = (("max_tokens", "max_completion_tokens"), ("seed", "random_seed"))
    body, dropped = sent("openai", quirks=Quirks(renames=renames), seed=3, max_tokens=7)
    assert _only(body, "max_completion_tokens", "random_seed") == {
        "max_completion_tokens": 7,
        "random_seed": 3,
    }
    assert not body.keys() & {"seed", "max_tokens"}
    assert not dropped


def test_a_stream_that_may_not_be_asked_for_its_usage() -> None:
    """Some hosts answer 422 to the question, and tell it anyway."""
    assert sent("openai", stream=True)[0]["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent("openai", stream=True, quirks=Quirks(stream_usage=False))[0]


@pytest.mark.parametrize(
    ("messages", "first"),
    [
        ((Message("system", "A"), Message("system", "B"), Message("user", "Hi")), "A\n\nB\n\nHi"),
        ((Message("system", "A"), Message("assistant", "Yes?")), "A"),
        ((Message("user", "Hi"),), "Hi"),
    ],
)
def test_no_system_role(messages: tuple[Message, ...], first: str) -> None:
    """Its text goes before the first thing the user says."""
    body, _ = sent("openai", *messages, quirks=Quirks(system_role=False))
    said = body["messages"]
    assert said[0] == {"role": "user", "content": first}
    assert "system" not in {one["role"] for one in said}
    headed, _ = sent("gemini", Message("system", "A"), _PICTURED, quirks=Quirks(system_role=False))
    assert [part.get("text") for part in headed["contents"][0]["parts"]][:2] == [
        "A",
        "What is this?",
    ]


def test_content_that_must_be_text() -> None:
    """Cloudflare refuses null and lists of parts."""
    parts = Message("user", parts=(TextPart("One"), TextPart("Two")))
    body, _ = sent("openai", parts, *_TURNS[2:], quirks=Quirks(plain_content=True))
    assert [one["content"] for one in body["messages"]] == [
        "One\nTwo",
        "",
        '{"sky": "grey"}',
        "noon",
    ]


@pytest.mark.parametrize(
    ("refused", "asked"),
    [("images", (_PICTURED,)), ("tools", _TURNS)],
)
def test_what_cannot_be_left_out(refused: str, asked: tuple[Message, ...]) -> None:
    """A question about a picture is none without it: another target is asked."""
    with pytest.raises(NotConfigured, match="takes no"):
        sent("openai", *asked, quirks=Quirks(refuses=frozenset({refused})))


def test_quirks_of_some_models() -> None:
    """A table may hold for a pattern of ids; later tables add to earlier ones."""
    tables: list[dict[str, Any]] = [
        {"drops": ["seed"]},
        {"models": "gemma-*", "system_role": False},
    ]
    assert read_quirks(tables, "gemini-9") == Quirks(drops=frozenset({"seed"}))
    assert read_quirks(tables, "Gemma-4-31b") == Quirks(
        drops=frozenset({"seed"}), system_role=False
    )


@pytest.mark.parametrize(
    "table",
    [
        {"drop": ["seed"]},
        {"drops": ["sead"]},
        {"drops": "seed"},
        {"refuses": ["seed"]},
        {"renames": {"sead": "x"}},
        {"stream_usage": "no"},
    ],
)
def test_quirks_that_make_no_sense(table: dict[str, Any]) -> None:
    """Said when they are read, not when a call fails."""
    with pytest.raises(ValueError, match=r"\w"):
        read_quirks([table], "m")


@pytest.mark.parametrize(
    ("fields", "abilities"),
    [
        ({}, set()),
        ({"messages": (_PICTURED,)}, {Ability.IMAGES}),
        ({"tools": (_CLOCK,)}, {Ability.TOOLS}),
        ({"response_format": JsonFormat()}, {Ability.JSON}),
        ({"response_format": JsonFormat({"type": "object"})}, {Ability.JSON, Ability.SCHEMA}),
    ],
)
def test_what_a_request_needs(fields: dict[str, Any], abilities: set[Ability]) -> None:
    """Beside text: for whoever chooses among targets."""
    asked = {"messages": _TURNS[:2], **fields}
    assert needed(ChatRequest(**asked)) == abilities

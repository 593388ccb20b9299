"""Answers in every wire format: whole, in pieces, and cut into bytes wherever one likes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import Piece, dialect_for
from gateway.errors import ProviderError
from gateway.exchange import Answer
from gateway.types import ToolCall, Usage

_REPLIES = Path(__file__).parent / "replies"
_FOLDERS = {"openai": "openai", "cohere": "cohere", "gemini": "google-ai-studio"}
_RECORDED = [(dialect, what) for dialect in _FOLDERS for what in ("", "tools.")]

_WEATHER = [("weather", '{"city": "Paris"}'), ("weather", '{"city": "Rome"}')]


@dataclass(frozen=True, slots=True)
class Read:
    """All that an answer says, however it came."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    finish_reason: str
    usage: Usage | None


def read_whole(dialect: str, what: str) -> Read:
    name = "tools.json" if what else "chat.json"
    body = (_REPLIES / _FOLDERS[dialect] / name).read_bytes()
    return read_of([dialect_for(dialect).parse_response(body)])


def read_of(pieces: list[Piece]) -> Read:
    answer = Answer()
    for one in pieces:
        answer.add(one)
    return Read(
        "".join(answer.text),
        "".join(answer.reasoning),
        answer.tool_calls,
        answer.finish_reason,
        answer.usage,
    )


def stream_of(dialect: str, what: str) -> bytes:
    return (_REPLIES / _FOLDERS[dialect] / f"{what}stream.txt").read_bytes()


def pieces_of(dialect: str, data: bytes, edges: list[int]) -> list[Piece]:
    """The stream's pieces when its bytes come cut at these edges; it must be complete."""
    parser = dialect_for(dialect).parse_stream()
    cuts = sorted({0, *edges, len(data)})
    pieces = [piece for start, end in pairwise(cuts) for piece in parser.feed(data[start:end])]
    pieces += parser.feed(b"")
    assert parser.is_complete
    return pieces


@pytest.mark.parametrize(("dialect", "what"), _RECORDED)
def test_streamed_or_whole_the_answer_is_the_same(dialect: str, what: str) -> None:
    """Text, thoughts, tool calls, finish and usage of the recorded answers."""
    whole = read_whole(dialect, what)
    data = stream_of(dialect, what)
    streamed = read_of(pieces_of(dialect, data, []))
    assert streamed.text == whole.text == ("" if what else "Paris is the capital of France.")
    assert streamed.finish_reason == whole.finish_reason == ("tool_calls" if what else "stop")
    assert streamed.calls == whole.calls
    assert streamed.usage == whole.usage
    assert whole.usage
    calls = [(one.name, json.loads(one.arguments)) for one in whole.calls]
    assert calls == ([(name, json.loads(args)) for name, args in _WEATHER] if what else [])
    if what:
        assert streamed.reasoning == whole.reasoning == "Two cities, two calls."
        assert len({one.id for one in whole.calls}) == 2


@pytest.mark.parametrize(("dialect", "what"), _RECORDED)
def test_every_place_to_cut(dialect: str, what: str) -> None:
    """In two at every single byte, and into single bytes: the pieces are the same."""
    data = stream_of(dialect, what)
    expected = pieces_of(dialect, data, [])
    for at in range(1, len(data)):
        assert pieces_of(dialect, data, [at]) == expected
    assert pieces_of(dialect, data, list(range(len(data)))) == expected


@given(
    recorded=st.sampled_from(_RECORDED),
    edges=st.lists(st.integers(0, 4_000), max_size=40),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_any_cuts_and_any_line_ends(
    recorded: tuple[str, str], edges: list[int], ending: bytes
) -> None:
    """Between CR and LF, too."""
    data = stream_of(*recorded)
    expected = pieces_of(recorded[0], data, [])
    other = data.replace(b"\n", ending)
    assert pieces_of(recorded[0], other, [one % len(other) for one in edges]) == expected


def test_googles_signature_stays_with_its_call() -> None:
    """It must go back with the call in the next turn."""
    first, second = read_whole("gemini", "tools").calls
    assert (first.signature, second.signature) == ("c2lnbmVk", "")


def test_nlp_clouds_answer() -> None:
    """It reports neither why it ended nor what it used."""
    body = (_REPLIES / "nlp-cloud/chat.json").read_bytes()
    read = read_of([dialect_for("nlpcloud").parse_response(body)])
    assert read == Read("Paris is the capital of France.", "", (), "stop", None)


def delta(*calls: object) -> bytes:
    chunk = {"choices": [{"delta": {"tool_calls": list(calls)}}]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


def call(arguments: object, name: str = "", **more: object) -> dict[str, object]:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {**more, "function": function}


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(
            [
                delta(call('{"city": "Paris"}', "weather", id="a", index=0)),
                delta(call('{"city": "Rome"}', "weather", id="b", index=0)),
            ],
            id="every call has the number 0",
        ),
        pytest.param(
            [
                delta(call('{"city":', "weather", id="a")),
                delta(call(' "Paris"}')),
                delta(call('{"city": "Rome"}', "weather", id="b")),
            ],
            id="no numbers",
        ),
        pytest.param(
            [
                delta(
                    call('{"city": "Paris"}', "weather", id="a"),
                    call('{"city": "Rome"}', "weather", id="b"),
                )
            ],
            id="both at once",
        ),
        pytest.param(
            [
                delta(call({"city": "Paris"}, "weather", index=0)),
                delta(call({"city": "Rome"}, "weather", index=1)),
            ],
            id="objects, and no ids",
        ),
        pytest.param(
            [
                delta(call('{"city": ', "weather", index=0, id="a")),
                delta(call('{"city": ', "weather", index=1, id="b")),
                delta(call('"Paris"}', index=0, id="a")),
                delta(call('"Rome"}', index=1)),
            ],
            id="in turns, the id repeated",
        ),
    ],
)
def test_tool_calls_as_hosts_number_them(deltas: list[bytes]) -> None:
    """Two calls come out as two, in order, each with an id of its own."""
    ending = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    read = read_of(pieces_of("openai", b"".join(deltas) + ending, []))
    assert [(one.name, one.arguments) for one in read.calls] == _WEATHER
    assert len({one.id for one in read.calls if one.id}) == 2
    assert read.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("message", "reasoning"),
    [
        ({"reasoning": "Hm."}, "Hm."),
        ({"reasoning_content": "Hm."}, "Hm."),
        ({"thinking": "Hm."}, "Hm."),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}, "Hm."),
        ({"content": [{"type": "thinking", "thinking": "Hm."}]}, "Hm."),
        ({"reasoning": {"no": "text"}}, ""),
    ],
)
def test_thoughts_under_every_name(message: dict[str, object], reasoning: str) -> None:
    """Hosts have three names for them, and Mistral puts them among the content's parts."""
    parts = message.get("content", [])
    assert isinstance(parts, list)
    content = [*parts, {"type": "text", "text": "Yes."}]
    body = json.dumps({"choices": [{"message": {**message, "content": content}}]})
    read = read_of([dialect_for("openai").parse_response(body.encode())])
    assert (read.text, read.reasoning) == ("Yes.", reasoning)


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai", {"error": {"message": "Too busy", "code": 503}}),
        ("openai", {"error": {"message": "Too busy", "code": 503}, "choices": []}),
        ("openai", {"object": "error", "message": "Too busy", "code": "503"}),
        ("openai", {"success": False, "errors": [{"code": 503, "message": "Too busy"}]}),
        ("openai", {"detail": "Too busy"}),
        ("cohere", {"id": "1", "message": "Too busy"}),
        ("gemini", {"error": {"message": "Too busy", "code": 503}}),
        ("nlpcloud", {"detail": "Too busy"}),
    ],
)
def test_errors_dressed_as_answers(dialect: str, body: dict[str, object]) -> None:
    """A 200 with an error in it, whole or as a stream's event, is the error."""
    data = json.dumps(body).encode()
    with pytest.raises(ProviderError, match="Too busy") as whole:
        dialect_for(dialect).parse_response(data)
    with pytest.raises(ProviderError, match="Too busy") as streamed:
        dialect_for(dialect).parse_stream().feed(b"data: " + data + b"\n\n")
    for one in (whole.value, streamed.value):
        assert type(one).__name__ == "ProviderUnavailable"

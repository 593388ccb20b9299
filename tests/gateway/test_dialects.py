"""The wire formats as recorded from their hosts, and as anything else that may come."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from httpx import Headers
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import Piece, dialect_for
from gateway.dialects.sse import EventDecoder
from gateway.errors import ContentBlocked, GatewayError, MalformedReply, ProviderError
from gateway.types import ChatRequest, Message, Outcome, Usage
from tests.gateway.upstream import make_target

_REPLIES = Path(__file__).parent / "replies"
_STREAM = (_REPLIES / "openai/stream.txt").read_bytes()
_OPENAI = dialect_for("openai")

_RECORDED = {
    "cerebras/429": (Outcome.THROTTLED, 57),
    "cerebras/429-queue": (Outcome.UNAVAILABLE, None),
    "cloudflare/401": (Outcome.AUTH_REJECTED, None),
    "cloudflare/429": (Outcome.QUOTA_EXHAUSTED, None),
    "cloudflare/429-capacity": (Outcome.UNAVAILABLE, None),
    "cloudflare/500": (Outcome.UNAVAILABLE, None),
    "cohere/401": (Outcome.AUTH_REJECTED, None),
    "cohere/429": (Outcome.THROTTLED, None),
    "cohere/500": (Outcome.UNAVAILABLE, None),
    "github-models/429": (Outcome.QUOTA_EXHAUSTED, 5631),
    "groq/401": (Outcome.AUTH_REJECTED, None),
    "groq/413": (Outcome.CONTEXT_TOO_LONG, None),  # its wait never helps
    "groq/429": (Outcome.THROTTLED, 4),
    "groq/503": (Outcome.UNAVAILABLE, None),
    "huggingface/402": (Outcome.QUOTA_EXHAUSTED, None),
    "llm7/429": (Outcome.THROTTLED, 1),
    "mistral/401": (Outcome.AUTH_REJECTED, None),
    "mistral/422": (Outcome.INVALID_REQUEST, None),
    "mistral/429": (Outcome.THROTTLED, None),
    "mistral/503": (Outcome.UNAVAILABLE, None),
    "nvidia-nim/400-degraded": (Outcome.UNAVAILABLE, None),
    "nvidia-nim/401": (Outcome.AUTH_REJECTED, None),
    "nvidia-nim/429": (Outcome.THROTTLED, None),
    "opencode-zen/429": (Outcome.QUOTA_EXHAUSTED, 19014),
    "openrouter/401": (Outcome.AUTH_REJECTED, None),
    "openrouter/502": (Outcome.UNAVAILABLE, None),
    "sambanova/429": (Outcome.THROTTLED, None),
    "zai/429": (Outcome.THROTTLED, None),
}


def _recorded(name: str) -> ProviderError:
    reply = json.loads((_REPLIES / f"{name}.json").read_text())
    body = json.dumps(reply["body"]).encode()
    return _OPENAI.classify_error(reply["status"], Headers(reply["headers"]), body)


@pytest.mark.parametrize("name", sorted(_RECORDED))
def test_recorded_refusals(name: str) -> None:
    """Every shape of error body gives its kind, its message and its waiting time."""
    outcome, retry_after_s = _RECORDED[name]
    error = _recorded(name)
    assert (error.outcome, error.retry_after_s) == (outcome, retry_after_s)
    body = json.loads((_REPLIES / f"{name}.json").read_text())["body"]
    assert _said(body)[:40] in error.message


def _said(body: dict[str, Any]) -> str:
    inner = body.get("error") or (body.get("errors") or [None])[0] or body
    if isinstance(inner, str):
        return inner
    if isinstance(inner.get("message"), dict):
        return "body.stream_options.include_usage: Extra inputs"
    return str(inner.get("message") or inner.get("detail") or inner.get("title"))


def test_openrouters_daily_pool() -> None:
    """Its own daily limit is told from a rate by the message; the reset is in the body."""
    reply = json.loads((_REPLIES / "openrouter/429.json").read_text())
    headers = Headers({"Date": "Sun, 22 Nov 2026 23:00:00 GMT"})
    error = _OPENAI.classify_error(429, headers, json.dumps(reply["body"]).encode())
    assert error.outcome is Outcome.QUOTA_EXHAUSTED
    assert error.retry_after_s == 3600


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'{"error": {"code": "context_length_exceeded"}}', Outcome.CONTEXT_TOO_LONG),
        (b'{"message": "This model\'s maximum context length is 8192"}', Outcome.CONTEXT_TOO_LONG),
        (b'{"error": {"code": "content_filter", "message": "no"}}', Outcome.CONTENT_BLOCKED),
        (b'{"error": {"code": "model_not_found"}}', Outcome.MODEL_GONE),
        (b'{"detail": [{"msg": "field required"}]}', Outcome.INVALID_REQUEST),
        (b"<html>502</html>", Outcome.INVALID_REQUEST),
        (b"\xff\xfe", Outcome.INVALID_REQUEST),
        (b"", Outcome.INVALID_REQUEST),
        (b"[]", Outcome.INVALID_REQUEST),
        (b"[" * 100_000, Outcome.INVALID_REQUEST),
    ],
)
def test_what_a_400_can_mean(body: bytes, outcome: Outcome) -> None:
    """Structured codes first, recorded words next, else the request's fault."""
    assert _OPENAI.classify_error(400, {}, body).outcome is outcome


@given(
    status=st.integers(300, 599),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["error", "errors", "detail", "message", "code", "type", "metadata"]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
    retry_after=st.text(max_size=12),
)
def test_no_refusal_is_too_strange(status: int, body: object, retry_after: str) -> None:
    """Classifying never raises, whatever JSON and headers came."""
    error = _OPENAI.classify_error(
        status,
        Headers([(b"Retry-After", retry_after.encode())]),
        json.dumps(body).encode(errors="replace"),
    )
    assert isinstance(error, ProviderError)


@given(data=st.binary(max_size=200) | st.from_regex(rb'\{"choices": ?\[.{0,40}', fullmatch=True))
def test_no_answer_is_too_strange(data: bytes) -> None:
    """Bytes are an answer or an error of the engine, nothing else."""
    try:
        _OPENAI.parse_response(data)
    except GatewayError:
        return


def test_a_filtered_answer_is_blocked() -> None:
    """An empty answer with the filter's finish reason is a refusal, another may answer."""
    body = b'{"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}]}'
    with pytest.raises(ContentBlocked):
        _OPENAI.parse_response(body)


def _stream(data: bytes, cuts: list[int]) -> tuple[list[Piece], bool]:
    parser = _OPENAI.parse_stream()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [
        piece
        for start, end in pairwise(edges)
        if end > start
        for piece in parser.feed(data[start:end])
    ]
    pieces += parser.feed(b"")
    return pieces, parser.is_complete


@given(
    cuts=st.lists(st.integers(0, 10_000), max_size=60),
    ending=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_a_stream_may_be_cut_anywhere(cuts: list[int], ending: bytes) -> None:
    """Within a character, between CR and LF: the pieces are the same."""
    data = _STREAM.replace(b"Paris", "Pařís 🏛".encode()).replace(b"\n", ending)
    pieces, is_complete = _stream(data, cuts)
    assert "".join(piece.text for piece in pieces) == "Pařís 🏛 is the capital of France."
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]
    assert [piece.usage for piece in pieces if piece.usage] == [Usage(74, 21)]
    assert "".join(piece.reasoning for piece in pieces) == "Geography."
    assert is_complete


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=10))
def test_no_stream_is_too_strange(data: bytes, cuts: list[int]) -> None:
    """Bytes are pieces or an error of the engine, nothing else."""
    try:
        _stream(b"data: " + data, cuts)
    except GatewayError:
        return


def test_an_error_inside_the_stream() -> None:
    """OpenRouter's form: the text before it is given, then the error is raised."""
    parser = _OPENAI.parse_stream()
    first, _, second = (_REPLIES / "openai/stream-error.txt").read_bytes().partition(b"\n\n")
    assert parser.feed(first + b"\n\n")[0].text == "Paris is"
    with pytest.raises(ProviderError, match="Rate limit exceeded") as caught:
        parser.feed(second)
    assert caught.value.outcome is Outcome.THROTTLED


def test_events_of_several_lines_and_other_fields() -> None:
    """As the format's standard has it: data lines are joined, comments and ids are passed by."""
    decoder = EventDecoder()
    data = b"\xef\xbb\xbf: hello\nid: 1\nevent: x\ndata: a\ndata:b\n\nretry: 5\n\ndata\n\ndata: c"
    assert [*decoder.feed(data), *decoder.flush()] == ["a\nb", "c"]


def test_a_line_without_end_is_malformed() -> None:
    """Memory is not for a provider to fill."""
    decoder = EventDecoder()
    with pytest.raises(MalformedReply):
        list(decoder.feed(b"x" * 1_100_000))


_COHERE, _GEMINI = dialect_for("cohere"), dialect_for("gemini")


@pytest.mark.parametrize(
    ("name", "outcome", "retry_after_s"),
    [
        ("401", Outcome.AUTH_REJECTED, None),  # which is a 400
        ("429", Outcome.THROTTLED, 38.2),
        ("429-daily", Outcome.QUOTA_EXHAUSTED, 65205),
        ("503", Outcome.UNAVAILABLE, None),
    ],
)
def test_gemini_refusals(name: str, outcome: Outcome, retry_after_s: float | None) -> None:
    """Which key, which quota and how long stand in typed details."""
    reply = json.loads((_REPLIES / "google-ai-studio" / f"{name}.json").read_text())
    body = json.dumps(reply["body"]).encode()
    error = _GEMINI.classify_error(reply["status"], Headers(reply["headers"]), body)
    assert (error.outcome, error.retry_after_s) == (outcome, retry_after_s)


def test_gemini_puts_the_system_text_apart() -> None:
    """Its roles are user and model; the model is part of the address."""
    messages = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Yes?"))
    target = make_target("https://host/v1beta", "models/gemini x", auth="x-goog-api-key")
    request = ChatRequest(messages=messages, max_tokens=9, stop=("END",))
    outgoing = _GEMINI.build_request(target, request, stream=True)
    assert outgoing.url == "https://host/v1beta/models/gemini%20x:streamGenerateContent?alt=sse"
    assert outgoing.headers["x-goog-api-key"] == "sk-made-up-for-tests"
    assert outgoing.body is not None
    assert json.loads(outgoing.body) == {
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Yes?"}]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"maxOutputTokens": 9, "stopSequences": ["END"]},
    }


@given(data=st.binary(max_size=100), name=st.sampled_from(["cohere", "gemini"]))
def test_no_other_format_is_too_strange(data: bytes, name: str) -> None:
    """Bytes are an answer, pieces or an error of the engine, nothing else."""
    dialect = dialect_for(name)
    for read in (dialect.parse_response, dialect.parse_stream().feed):
        with suppress(GatewayError):
            read(b'{"' + data)
    assert isinstance(dialect.classify_error(429, Headers(), data), ProviderError)


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("bearer", "Authorization", "Bearer sk-made-up-for-tests"),
        ("Authorization: Token", "Authorization", "Token sk-made-up-for-tests"),
        ("x-api-key", "x-api-key", "sk-made-up-for-tests"),
    ],
)
def test_where_the_key_goes(auth: str, header: str, value: str) -> None:
    """As the provider's facts say."""
    request = ChatRequest(messages=(Message("user", "Hi"),))
    outgoing = _OPENAI.build_request(make_target(auth=auth), request, stream=False)
    assert outgoing.headers[header] == value
    assert "sk-made-up" not in repr(outgoing)


@pytest.mark.parametrize("odd", ['"x\\ud800y"', '"a\\u0000b"'])
def test_text_that_nothing_can_hold_is_replaced(odd: str) -> None:
    """JSON may spell lone surrogates and NUL; UTF-8 and databases cannot."""
    body = f'{{"choices": [{{"message": {{"content": {odd}}}, "finish_reason": "stop"}}]}}'
    text = dialect_for("openai").parse_response(body.encode()).text
    assert len(text) == 3
    assert text.encode().decode() == text
    assert "\0" not in text

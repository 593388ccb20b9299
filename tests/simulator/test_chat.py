"""Chat as a client of the OpenAI dialect sees it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.simulator.tokens import count_tokens
from tests.factories import make_scenario, make_sim_model, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import ask, asking, events, streamed_text

QUESTION = "Explain in detail how tides work"


async def test_a_plain_answer_says_what_it_is(serve: Serve) -> None:
    """The first sentence calls itself simulated and names who answers; usage adds up."""
    answer = (await ask(await serve(), QUESTION)).json()
    text = answer["choices"][0]["message"]["content"]
    first = "This is a simulated answer by Wren 8B Instruct on Simulator Wren."
    assert text.startswith(first)
    usage = answer["usage"]
    assert usage["completion_tokens"] == count_tokens(text)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_stream_carries_the_same_text(serve: Serve) -> None:
    """Role first, pieces, finish reason, usage when asked for, [DONE] at the end."""
    client = await serve()
    whole = (await ask(client, QUESTION)).json()["choices"][0]["message"]["content"]
    options = {"include_usage": True}
    answer = await ask(client, QUESTION, stream=True, stream_options=options)
    assert answer.headers["content-type"].startswith("text/event-stream")
    chunks = events(answer.text)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert streamed_text(answer.text) == whole
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == count_tokens(whole)
    assert answer.text.endswith("data: [DONE]\n\n")
    assert len({chunk["id"] for chunk in chunks}) == 1


async def test_usage_is_streamed_only_when_asked_for(serve: Serve) -> None:
    """Without stream_options no chunk has usage."""
    answer = await ask(await serve(), stream=True)
    assert not any("usage" in one for one in events(answer.text))


async def test_max_tokens_ends_the_answer(serve: Serve) -> None:
    """Exactly that many tokens, and finish reason "length"."""
    answer = (await ask(await serve(), QUESTION, max_tokens=7)).json()
    assert answer["usage"]["completion_tokens"] == 7
    assert answer["choices"][0]["finish_reason"] == "length"


async def test_a_stop_text_ends_the_answer_before_it(serve: Serve) -> None:
    """The stop text itself is not part of the answer."""
    answer = (await ask(await serve(), QUESTION, stop=["simulated"])).json()
    assert answer["choices"][0]["message"]["content"] == "This is a "
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_ping_gets_a_word_and_code_gets_code(serve: Serve) -> None:
    """Short for a lone word; a fenced Python block when the prompt is about code."""
    client = await serve()
    ping = (await ask(client, "Ping!")).json()["choices"][0]["message"]["content"]
    assert ping.endswith("OK.")
    code = (await ask(client, "Write a Python function")).json()["choices"][0]["message"]["content"]
    block = code.split("```python\n")[1].split("```")[0]
    compile(block, "answer", "exec")


async def test_the_prompt_is_never_taken_for_a_format(serve: Serve) -> None:
    """Braces and percent signs in a prompt are only text."""
    answer = await ask(await serve(), "what {does} %s {0[x]} {{mean}} in python code")
    assert answer.status_code == 200


async def test_comments_and_crlf_lines(serve: Serve) -> None:
    """Where the provider does so, comments come first and lines end in CRLF."""
    provider = make_sim_provider(comments=True, crlf=True)
    answer = await ask(await serve(make_scenario(provider)), stream=True)
    assert answer.text.startswith(": SIMULATOR PROCESSING\r\n\r\n")
    assert "\n" not in answer.text.replace("\r\n", "")
    assert "simulated answer" in streamed_text(answer.text)


async def test_a_reasoning_model_thinks_first(serve: Serve) -> None:
    """Its thoughts come as reasoning, apart from the text, and count as completion tokens."""
    model = make_sim_model(specialties=("reasoning",))
    client = await serve(make_scenario(make_sim_provider(models=(model,))))
    answer = (await ask(client, QUESTION)).json()
    thoughts = answer["choices"][0]["message"]["reasoning"]
    details = answer["usage"]["completion_tokens_details"]
    assert details["reasoning_tokens"] == count_tokens(thoughts)
    streamed = await ask(client, QUESTION, stream=True)
    assert events(streamed.text)[1]["choices"][0]["delta"] == {"reasoning": thoughts}


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"model": "no-such-model"}, 404, "model_not_found"),
        ({"model": 7}, 400, "invalid_request"),
        ({"messages": []}, 400, "invalid_request"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, 400, "invalid_request"),
        ({"messages": [{"role": "user", "content": None}]}, 400, "invalid_request"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, 400, None),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, None),
        ({"max_tokens": 0}, 400, "invalid_request"),
        ({"max_tokens": True}, 400, "invalid_request"),
        ({"max_tokens": 200_000}, 400, "context_length_exceeded"),
        ({"temperature": 2.5}, 400, "invalid_request"),
        ({"temperature": float("1e300")}, 400, "invalid_request"),
        ({"stop": ["a"] * 5}, 400, "invalid_request"),
        ({"stop": [""]}, 400, "invalid_request"),
        ({"stream": "yes"}, 400, "invalid_request"),
        ({"stream_options": [1]}, 400, "invalid_request"),
        ({"n": 2}, 400, "invalid_request"),
        ({"seed": "x"}, 400, "invalid_request"),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(
    serve: Serve, changed: dict[str, Any], status: int, code: str | None
) -> None:
    """Each mistake has its status and its code."""
    client = await serve()
    answer = await client.post("/sim-wren/v1/chat/completions", json={**asking(), **changed})
    assert answer.status_code == status
    assert code in (None, answer.json()["error"]["code"])


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 50_000, b"null"])
async def test_a_body_that_is_no_request_is_a_400(serve: Serve, body: bytes) -> None:
    """Broken JSON, broken UTF-8 and absurd nesting are the caller's mistake."""
    answer = await (await serve()).post("/sim-wren/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_prompt_beyond_the_context_is_refused(serve: Serve) -> None:
    """The message names the model's length and the request's."""
    provider = make_sim_provider(models=(make_sim_model(context_tokens=100),))
    answer = await ask(await serve(make_scenario(provider)), "word " * 200)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


async def test_a_body_of_many_megabytes_is_too_large(serve: Serve) -> None:
    """Seventeen megabytes are answered with 413, not read to the end of memory."""
    answer = await ask(await serve(), "x" * 17_000_000)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/sim-wren/v1/models", 200),
        ("POST", "/sim-wren/v1/models", 404),
        ("GET", "/sim-wren/v1/chat/completions", 404),
        ("GET", "/sim-wren/v2/models", 404),
        ("GET", "/sim-none/v1/models", 404),
        ("GET", "/%00%ff/v1/models", 404),
    ],
)
async def test_paths(serve: Serve, method: str, path: str, status: int) -> None:
    """Only what a provider has is there, everything else is a 404 in JSON."""
    answer = await (await serve()).request(method, path)
    assert answer.status_code == status
    assert answer.json()


@pytest.mark.parametrize(
    ("style", "status", "body"),
    [
        ("openai", 401, {"error": {"message": "Invalid API Key", "code": "invalid_api_key"}}),
        ("groq", 401, {"error": {"message": "Invalid API Key", "code": "invalid_api_key"}}),
        ("cerebras", 401, {"code": "wrong_api_key", "type": "invalid_request_error"}),
        ("mistral", 401, {"detail": "Unauthorized"}),
        ("openrouter", 401, {"error": {"message": "No auth credentials found", "code": 401}}),
        ("sambanova", 401, {"error": {"code": "invalid_api_key"}}),
    ],
)
async def test_a_wrong_key_is_refused_in_the_providers_words(
    serve: Serve, style: str, status: int, body: dict[str, Any]
) -> None:
    """A wrong or missing key; the right one is let in, for chat and for the list."""
    client = await serve(make_scenario(make_sim_provider(style=style, keys=("right-key",))))
    for headers in ({"authorization": "Bearer wrong"}, {}):
        for path, method in (("models", "GET"), ("chat/completions", "POST")):
            answer = await client.request(
                method, f"/sim-wren/v1/{path}", headers=headers, json=asking()
            )
            assert answer.status_code == status
            _assert_contains(answer.json(), body)
    right = {"authorization": "Bearer right-key"}
    assert (await client.get("/sim-wren/v1/models", headers=right)).status_code == 200
    answer = await client.post("/sim-wren/v1/chat/completions", headers=right, json=asking())
    assert answer.status_code == 200


def _assert_contains(actual: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if isinstance(value, dict):
            _assert_contains(actual[name], value)
        else:
            assert actual[name] == value

"""The Cohere and Gemini dialects, by the shapes their providers document."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from gateway.simulator import Fault, FaultKind, Scenario
from gateway.simulator.scenario import DEFAULT_PATH
from gateway.types import parse_limits
from tests.factories import make_scenario, make_sim_model, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import events

COHERE: dict[str, Any] = {
    "model": "heron-70b",
    "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "ping"}],
}
GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be kind"}]},
    "contents": [{"role": "user", "parts": [{"text": "ping"}]}],
}
GEMINI_PATH = "/sim-gemini/v1/models/kestrel-30b-a3b"


@pytest.fixture
async def client(serve: Serve) -> httpx.AsyncClient:
    """A client of the bundled scenario of dialects, with the right keys."""
    client = await serve(Scenario.load(DEFAULT_PATH.with_name("dialects.toml")))
    client.headers["authorization"] = "Bearer sim-cohere-key-000001"
    client.headers["x-goog-api-key"] = "sim-gemini-key-000001"
    return client


async def test_cohere_whole(client: httpx.AsyncClient) -> None:
    """Text parts, an upper-case finish reason, tokens billed and counted, trial headers."""
    answer = await client.post("/sim-cohere/v1/chat", json=COHERE)
    body = answer.json()
    assert body["finish_reason"] == "COMPLETE"
    assert body["message"]["content"][0]["text"].endswith("OK.")
    assert body["usage"]["tokens"]["output_tokens"] > 5
    assert answer.headers["x-trial-endpoint-call-limit"] == "20"
    assert answer.headers["x-trial-endpoint-call-remaining"] == "19"
    assert answer.headers["x-endpoint-monthly-call-limit"] == "1000"


async def test_cohere_stream(client: httpx.AsyncClient) -> None:
    """Named events in their order; the deltas together are the text."""
    whole = (await client.post("/sim-cohere/v1/chat", json=COHERE)).json()
    answer = await client.post("/sim-cohere/v1/chat", json={**COHERE, "stream": True})
    told = events(answer.text)
    kinds = list(dict.fromkeys(one["type"] for one in told))
    assert kinds == ["message-start", "content-start", "content-delta", "content-end",
                     "message-end"]  # fmt: skip
    deltas = [one["delta"]["message"]["content"] for one in told if one["type"] == kinds[2]]
    assert "".join(one["text"] for one in deltas) == whole["message"]["content"][0]["text"]
    assert told[-1]["delta"]["usage"] == whole["usage"]
    assert answer.text.startswith("event: message-start\ndata: ")
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_gemini_whole(client: httpx.AsyncClient) -> None:
    """Candidates, an upper-case finish reason, thoughts counted apart, no rate headers."""
    config = {"generationConfig": {"maxOutputTokens": 4}}
    answer = await client.post(f"{GEMINI_PATH}:generateContent", json={**GEMINI, **config})
    body = answer.json()
    candidate = body["candidates"][0]
    assert candidate["finishReason"] == "MAX_TOKENS"
    assert candidate["content"]["role"] == "model"
    usage = body["usageMetadata"]
    assert usage["candidatesTokenCount"] == 4
    parts = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    assert usage["totalTokenCount"] == sum(usage[part] for part in parts)
    assert not [name for name in answer.headers if "ratelimit" in name]


async def test_gemini_stream(client: httpx.AsyncClient) -> None:
    """Events with CRLF, no [DONE]; the last one has the finish reason and the usage."""
    whole = (await client.post(f"{GEMINI_PATH}:generateContent", json=GEMINI)).json()
    path = f"{GEMINI_PATH}:streamGenerateContent?alt=sse"
    answer = await client.post(path, json=GEMINI)
    told = events(answer.text)
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in told]
    assert "".join(texts) == whole["candidates"][0]["content"]["parts"][0]["text"]
    assert told[-1]["candidates"][0]["finishReason"] == "STOP"
    assert told[-1]["usageMetadata"] == whole["usageMetadata"]
    assert "[DONE]" not in answer.text
    assert "\n" not in answer.text.replace("\r\n", "")


async def test_nlp_cloud(client: httpx.AsyncClient) -> None:
    """One exchange at a time, answered whole; what goes wrong is one sentence."""
    path, auth = "/sim-cloud/v1/wren-8b/chatbot", {"authorization": "Token sim-cloud-key-000001"}
    asked = {"input": "ping", "context": "Be kind", "history": [{"input": "a", "response": "b"}]}
    answer = await client.post(path, json=asked, headers=auth)
    assert answer.json()["response"].endswith("OK.")
    for body in ({}, {"input": 7}, {"input": "x", "history": "y"}, {"input": "x", "history": [1]}):
        bad = await client.post(path, json=body, headers=auth)
        assert (bad.status_code, list(bad.json())) == (400, ["detail"])
    refused = await client.post(path, json=asked, headers={"authorization": "Token wrong"})
    assert (refused.status_code, refused.json()) == (401, {"detail": "Invalid token."})
    for _ in range(3):
        refused = await client.post(path, json=asked, headers=auth)
    assert (refused.status_code, refused.json()) == (429, {"detail": "Too Many Requests"})


@pytest.mark.parametrize("depth", [60, 400])
async def test_a_schema_nested_without_end(client: httpx.AsyncClient, depth: int) -> None:
    """It is filled in as far as makes sense."""
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"x": schema}}
    tool = {"type": "function", "function": {"name": "deep", "parameters": schema}}
    answer = await client.post("/sim-cohere/v1/chat", json={**COHERE, "tools": [tool]})
    assert answer.status_code in (200, 400)
    if depth < 100:
        assert answer.json()["message"]["tool_calls"][0]["function"]["name"] == "deep"


async def test_wrong_keys(client: httpx.AsyncClient) -> None:
    """Cohere says 401 with an id; Gemini 400 with a reason, also for a key in the query."""
    wrong = {"authorization": "Bearer wrong", "x-goog-api-key": "wrong"}
    answer = await client.post("/sim-cohere/v1/chat", json=COHERE, headers=wrong)
    assert answer.status_code == 401
    assert answer.json()["message"] == "invalid api token"
    answer = await client.post(f"{GEMINI_PATH}:generateContent", json=GEMINI, headers=wrong)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["status"] == "INVALID_ARGUMENT"
    assert error["details"][0]["reason"] == "API_KEY_INVALID"
    in_query = {"x-goog-api-key": ""}
    path = "/sim-gemini/v1/models?key=sim-gemini-key-000001"
    assert (await client.get(path, headers=in_query)).status_code == 200


async def test_gemini_refusals_name_the_quota_and_the_wait(client: httpx.AsyncClient) -> None:
    """The sixth request of a minute: quota id, value and retryDelay in the details."""
    for _ in range(5):
        await client.post(f"{GEMINI_PATH}:generateContent", json=GEMINI)
    refused = await client.post(f"{GEMINI_PATH}:generateContent", json=GEMINI)
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    by_type = {one["@type"].rsplit(".", 1)[1]: one for one in error["details"]}
    violation = by_type["QuotaFailure"]["violations"][0]
    assert violation["quotaId"] == "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    assert violation["quotaValue"] == "5"
    assert 0 < float(by_type["RetryInfo"]["retryDelay"].removesuffix("s")) <= 60


async def test_cohere_refusals_say_it_in_words_only(serve: Serve) -> None:
    """No header on a refusal, the limit stands in the message."""
    provider = make_sim_provider(dialect="cohere", style="cohere", limits=parse_limits({"rpm": 1}))
    client = await serve(make_scenario(provider))
    body = {**COHERE, "model": "wren-8b"}
    await client.post("/sim-wren/v1/chat", json=body)
    refused = await client.post("/sim-wren/v1/chat", json=body)
    assert refused.status_code == 429
    assert "limited to 1 API calls / minute" in refused.json()["message"]
    assert not [name for name in refused.headers if "trial" in name or name == "retry-after"]


@pytest.mark.parametrize(
    ("dialect", "items", "id_field", "listed"),
    [("cohere", "models", "name", "wren-8b"), ("gemini", "models", "name", "models/wren-8b")],
)
async def test_lists(serve: Serve, dialect: str, items: str, id_field: str, listed: str) -> None:
    """Each list has the shape the scenario promises to the catalog."""
    provider = make_sim_provider(dialect=dialect, style=dialect)
    assert (provider.list_items_path, provider.id_field) == (items, id_field)
    answer = await (await serve(make_scenario(provider))).get("/sim-wren/v1/models")
    assert answer.json()[items][0][id_field] == listed


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/sim-cohere/v1/chat", {"model": "heron-70b"}),
        ("/sim-cohere/v1/chat", {"messages": []}),
        ("/sim-cohere/v1/chat", {**COHERE, "messages": [{"role": "x", "content": "y"}]}),
        ("/sim-cohere/v1/chat", {**COHERE, "temperature": 1.5}),
        (f"{GEMINI_PATH}:generateContent", {}),
        (f"{GEMINI_PATH}:generateContent", {"contents": [7]}),
        (f"{GEMINI_PATH}:generateContent", {"contents": [{"parts": "x"}]}),
        (f"{GEMINI_PATH}:generateContent", {"contents": [{"parts": [{"text": 1}]}]}),
        (f"{GEMINI_PATH}:generateContent", {"contents": [{"role": "x", "parts": []}]}),
        (f"{GEMINI_PATH}:generateContent", {**GEMINI, "generationConfig": []}),
        (f"{GEMINI_PATH}:generateContent", {**GEMINI, "systemInstruction": "x"}),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """What makes no sense is the caller's mistake, in the provider's words."""
    answer = await client.post(path, json=body)
    assert answer.status_code == 400
    assert "message" in json.dumps(answer.json())


@pytest.mark.parametrize("dialect", ["cohere", "gemini"])
async def test_an_error_inside_a_stream(serve: Serve, dialect: str) -> None:
    """The stream's last event carries the error."""
    provider = make_sim_provider(
        dialect=dialect,
        style=dialect,
        models=(make_sim_model(id="heron-70b"),),
        faults=(Fault(FaultKind.MID_ERROR, message="Ouch"),),
    )
    client = await serve(make_scenario(provider))
    if dialect == "cohere":
        answer = await client.post("/sim-wren/v1/chat", json={**COHERE, "stream": True})
    else:
        path = "/sim-wren/v1/models/heron-70b:streamGenerateContent"
        answer = await client.post(path, json=GEMINI)
    assert "Ouch" in json.dumps(events(answer.text)[-1])

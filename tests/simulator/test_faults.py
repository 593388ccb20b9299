"""Every scripted fault, seen with the eyes of a client."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from gateway.simulator import Fault, FaultKind
from gateway.types import parse_limits
from tests.factories import make_scenario, make_sim_model, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import ManualClock, ask, asking, events, state, streamed_text

QUESTION = "Explain in detail how tides work"


async def _faulty(serve: Serve, clock: ManualClock | None = None, **fields: Any) -> Any:
    fields["kind"] = FaultKind(fields["kind"])
    return await serve(make_scenario(make_sim_provider(faults=(Fault(**fields),))), clock)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (401, "invalid_api_key"),
        (402, "insufficient_quota"),
        (403, "permission_denied"),
        (404, "model_not_found"),
        (429, "rate_limit_exceeded"),
        (500, "internal_error"),
        (503, "internal_error"),
    ],
)
async def test_an_error_has_its_status_and_code(serve: Serve, status: int, code: str) -> None:
    """The body is the provider's own; Retry-After comes where it is scripted."""
    client = await _faulty(serve, kind="error", status=status, retry_after_s=2.5, message="Ouch")
    answer = await ask(client, stream=True)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"] == "Ouch"
    assert answer.headers["retry-after"] == "2.5"


@pytest.mark.parametrize("status", [200, 502])
async def test_html_instead_of_json(serve: Serve, status: int) -> None:
    """A gateway's page with the scripted status, also one that calls itself a success."""
    client = await serve()
    fault = {"kind": "html", "status": status}
    await client.post("/_sim/faults", json={"faults": [fault]})
    answer = await ask(client)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


async def test_an_error_inside_a_200(serve: Serve) -> None:
    """The status promises an answer, the body is an error."""
    answer = await ask(await _faulty(serve, kind="error_in_ok", status=429))
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_an_empty_200(serve: Serve) -> None:
    """No body at all."""
    answer = await ask(await _faulty(serve, kind="empty"))
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_hang_outlasts_the_clients_patience(serve: Serve) -> None:
    """Nothing comes until the client gives up; the simulator sees it leave."""
    client = await _faulty(serve, kind="hang")
    with pytest.raises(httpx.ReadTimeout):
        await client.post("/sim-wren/v1/chat/completions", json=asking(), timeout=0.2)
    await _until_gone(client)


async def test_a_hang_ends_in_504(serve: Serve) -> None:
    """Who waits long enough is told that the request timed out."""
    answer = await ask(await _faulty(serve, kind="hang", hold_s=0.05))
    assert answer.status_code == 504


async def test_a_reset_is_a_real_reset(serve: Serve) -> None:
    """The connection ends with RST: the client's socket says so, not just an early end."""
    client = await _faulty(serve, kind="reset")
    with pytest.raises(httpx.ReadError):
        await ask(client)
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    body = json.dumps(asking()).encode()
    head = f"POST /sim-wren/v1/chat/completions HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_cut_breaks_off_in_the_middle(serve: Serve, is_stream: bool) -> None:
    """What was sent arrives, then the connection is closed before its promised end."""
    client = await _faulty(serve, kind="cut", at=0.5)
    body = asking(QUESTION, stream=is_stream)
    received: list[str] = []
    with pytest.raises(httpx.RemoteProtocolError):
        await _read(client, body, received)
    assert "This is" in "".join(received)
    assert "[DONE]" not in "".join(received)
    assert (await state(client))["disconnected"] == 0


async def test_a_truncated_stream_ends_cleanly_without_its_end(serve: Serve) -> None:
    """The HTTP answer is whole, but neither finish reason nor [DONE] come."""
    answer = await ask(await _faulty(serve, kind="truncate", at=0.3), QUESTION, stream=True)
    assert "[DONE]" not in answer.text
    assert all(one["choices"][0]["finish_reason"] is None for one in events(answer.text))
    assert streamed_text(answer.text).startswith("This is a simulated answer")


@pytest.mark.parametrize("is_stream", [True, False])
async def test_half_json(serve: Serve, is_stream: bool) -> None:
    """JSON that breaks off, in a whole answer and in a stream's chunk."""
    client = await _faulty(serve, kind="half_json")
    answer = await ask(client, QUESTION, stream=is_stream)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        events(answer.text) if is_stream else answer.json()


async def test_an_error_after_the_stream_began(serve: Serve) -> None:
    """The last chunk carries the error and finish reason "error"."""
    answer = await ask(await _faulty(serve, kind="mid_error", status=429), QUESTION, stream=True)
    last = events(answer.text)[-1]
    assert last["error"]["code"] == "rate_limit_exceeded"
    assert last["choices"][0]["finish_reason"] == "error"


async def test_a_stall_is_a_silence_in_the_middle(serve: Serve) -> None:
    """Part of the answer comes, then nothing until the client gives up."""
    client = await _faulty(serve, kind="stall", at=0.5)
    received: list[str] = []
    with pytest.raises(httpx.ReadTimeout):
        await _read(client, asking(stream=True), received, timeout_s=0.3)
    assert "This is" in "".join(received)
    await _until_gone(client)


async def test_a_stall_that_ends_completes_the_answer(serve: Serve) -> None:
    """After the silence the rest arrives."""
    for is_stream in (True, False):
        client = await _faulty(serve, kind="stall", hold_s=0.05)
        answer = await ask(client, stream=is_stream)
        text = streamed_text(answer.text) if is_stream else answer.text
        assert "OK." in text


async def test_slow_starts_late_and_trickles(serve: Serve) -> None:
    """The scripted speed replaces the model's own."""
    client = await _faulty(serve, kind="slow", first_token_s=0.1, tokens_per_s=100.0)
    began_s = time.monotonic()
    answer = await ask(client, max_tokens=11)
    assert time.monotonic() - began_s >= 0.2
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("script", "struck"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"every_n": 3}, [0, 0, 1, 0, 0, 1]),
        ({"skip_n": 2, "max_n": 1}, [0, 0, 1, 0, 0, 0]),
        ({"max_n": 2}, [1, 1, 0, 0, 0, 0]),
        ({"rate": 0.0}, [0, 0, 0, 0, 0, 0]),
    ],
)
async def test_the_script_chooses_its_requests(
    serve: Serve, script: dict[str, Any], struck: list[int]
) -> None:
    """Counts decide exactly which requests are struck."""
    client = await _faulty(serve, kind="error", **script)
    assert [int((await ask(client)).is_error) for _ in range(6)] == struck


async def test_a_fault_for_one_model_spares_the_others(serve: Serve) -> None:
    """Only the model it names is struck."""
    models = (make_sim_model(id="one"), make_sim_model(id="two"))
    faults = (Fault(FaultKind.ERROR, model="two"),)
    client = await serve(make_scenario(make_sim_provider(models=models, faults=faults)))
    assert (await ask(client, model="one")).status_code == 200
    assert (await ask(client, model="two")).status_code == 503


async def test_outages_come_and_go(serve: Serve) -> None:
    """From 10 s to 20 s of every minute nothing works."""
    clock = ManualClock()
    client = await _faulty(serve, clock, kind="error", from_s=10.0, until_s=20.0, period_s=60.0)
    statuses = []
    for clock.now_s in (0.0, 9.9, 10.0, 19.9, 20.0, 69.9, 70.0, 80.0):
        statuses.append((await ask(client)).status_code)
    assert statuses == [200, 200, 503, 503, 200, 200, 503, 200]


async def test_the_list_can_fail_too(serve: Serve) -> None:
    """A fault on the list leaves chat alone."""
    client = await _faulty(serve, kind="html", on="models", status=503)
    assert (await client.get("/sim-wren/v1/models")).status_code == 503
    assert (await ask(client)).status_code == 200


async def test_a_replaced_answer_takes_no_quota_and_a_spoiled_one_does(serve: Serve) -> None:
    """An overloaded provider does not count what it did not serve."""
    for kind, left in (("error", 1), ("truncate", 0)):
        fault = Fault(FaultKind(kind), max_n=1)
        provider = make_sim_provider(faults=(fault,), limits=parse_limits({"rpm": 1}))
        client = await serve(make_scenario(provider))
        await ask(client, stream=True)
        assert (await ask(client)).is_success is bool(left)


async def _until_gone(client: httpx.AsyncClient) -> None:
    """Return when the simulator has noticed that its client left; fails after two seconds."""
    async with asyncio.timeout(2):
        while (await state(client))["disconnected"] != 1:
            pass  # each look is a round trip
    assert (await state(client))["in_flight"] == 0


async def _read(
    client: httpx.AsyncClient, body: dict[str, Any], received: list[str], timeout_s: float = 20
) -> None:
    """Read an answer into `received`, which holds what came when it breaks off."""
    path = "/sim-wren/v1/chat/completions"
    async with client.stream("POST", path, json=body, timeout=timeout_s) as answer:
        assert answer.status_code == 200
        async for part in answer.aiter_text():
            received.append(part)  # noqa: PERF401 - what came must outlive the error

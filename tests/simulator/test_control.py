"""The control door: what happened, faults at run time, a fresh start."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from gateway.simulator.app import build_app
from gateway.types import parse_limits
from tests.factories import make_scenario, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import ask, asking, state


async def test_a_client_that_leaves_is_noticed_at_once(serve: Serve) -> None:
    """Closing the stream after its first chunk is counted within a fraction of a second."""
    slow = make_sim_provider(tokens_per_s=5.0)
    client = await serve(make_scenario(slow))
    body = asking(stream=True)
    async with client.stream("POST", "/sim-wren/v1/chat/completions", json=body) as answer:
        await anext(answer.aiter_bytes())
        assert (await state(client))["in_flight"] == 1
    async with asyncio.timeout(0.5):
        while (await state(client))["in_flight"]:
            pass  # each look is a round trip
    told = await state(client)
    assert (told["admitted"], told["answered"], told["disconnected"]) == (1, 0, 1)


async def test_state_counts_by_model(serve: Serve) -> None:
    """Answers, refusals, rejections and lists, in all and for each model."""
    client = await serve(make_scenario(make_sim_provider(limits=parse_limits({"rpm": 1}))))
    await ask(client)
    await ask(client)
    await ask(client, n=3)
    await client.get("/sim-wren/v1/models")
    told = await state(client)
    assert (told["answered"], told["refused"], told["rejected"]) == (1, 1, 1)
    assert (told["requests"], told["listed"]) == (2, 1)
    assert told["models"]["wren-8b"]["refused"] == 1


async def test_faults_are_set_and_cleared_while_running(serve: Serve) -> None:
    """For one provider or, without naming one, for all; each setting replaces the last."""
    other = make_sim_provider(slug="sim-other")
    client = await serve(make_scenario(make_sim_provider(), other))
    fault = {"kind": "error", "status": 500}
    order = {"provider": "sim-wren", "faults": [fault]}
    answer = await client.post("/_sim/faults", json=order)
    assert answer.json() == {"providers": ["sim-wren"]}
    assert (await ask(client)).status_code == 500
    assert (await ask(client, slug="sim-other")).status_code == 200
    assert (await state(client))["faults"][0]["struck"] == 1
    await client.post("/_sim/faults", json={"faults": []})
    assert (await ask(client)).status_code == 200


async def test_a_reset_begins_anew(serve: Serve) -> None:
    """Quotas, counts and faults are as at the start."""
    client = await serve(make_scenario(make_sim_provider(limits=parse_limits({"rpd": 1}))))
    first = await ask(client)
    await client.post("/_sim/faults", json={"faults": [{"kind": "empty"}]})
    assert (await client.post("/_sim/reset")).status_code == 200
    assert (await state(client))["requests"] == 0
    again = await ask(client)
    assert again.json()["id"] == first.json()["id"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"provider": "sim-none"}, "provider"),
        ({"faults": [{"kind": "fire"}]}, "faults[0].kind"),
        ({"faults": [{"kind": "error", "status": 200}]}, "faults[0].status"),
        ({"fault": []}, "fault"),
        ([], "table"),
    ],
)
async def test_nonsense_orders_are_refused(serve: Serve, body: Any, named: str) -> None:
    """A 400 that names the field; nothing changes."""
    client = await serve()
    answer = await client.post("/_sim/faults", json=body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert (await ask(client)).status_code == 200


async def test_a_form_cannot_order_faults(serve: Serve) -> None:
    """What a page in a browser could send without asking is refused."""
    client = await serve()
    answer = await client.post("/_sim/faults", content=b'{"faults": []}')
    assert answer.status_code == 415
    assert (await client.get("/_sim/reset")).status_code == 404


async def test_only_this_machine_controls() -> None:
    """A request from another address is refused, chat is not."""
    transport = httpx.ASGITransport(app=build_app(make_scenario()), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        assert (await client.get("/_sim/state")).status_code == 403
        assert (await client.get("/sim-wren/v1/models")).status_code == 200

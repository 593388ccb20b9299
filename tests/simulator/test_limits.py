"""Limits hold exactly, also when everybody comes at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from gateway.simulator import Scenario
from gateway.simulator.runtime import Clock
from gateway.types import parse_limits
from tests.factories import make_scenario, make_sim_model, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import ManualClock, ask, state


def _limited(limits: dict[str, int], **fields: Any) -> Scenario:
    return make_scenario(make_sim_provider(limits=parse_limits(limits), **fields))


async def test_of_a_hundred_racers_exactly_the_limit_passes(serve: Serve) -> None:
    """A hundred requests race for 17 places, half of them as streams."""
    client = await serve(_limited({"rpm": 17}))
    racers = [ask(client, stream=bool(no % 2)) for no in range(100)]
    statuses = Counter(answer.status_code for answer in await asyncio.gather(*racers))
    assert statuses == {200: 17, 429: 83}
    told = await state(client)
    assert (told["admitted"], told["refused"], told["in_flight"]) == (17, 83, 0)


async def test_tokens_are_limited_exactly(serve: Serve) -> None:
    """Prompt and answer are charged on admission; no admitted sum exceeds the limit."""
    client = await serve(_limited({"tpm": 500}))
    answers = await asyncio.gather(*(ask(client, max_tokens=40) for _ in range(60)))
    used = [one.json()["usage"]["total_tokens"] for one in answers if one.status_code == 200]
    assert sum(used) <= 500 < sum(used) + max(used)
    assert (await state(client))["tokens"] == sum(used)


async def test_the_window_slides(serve: Serve) -> None:
    """A place is free again a whole minute after it was taken, and not before."""
    clock = ManualClock()
    client = await serve(_limited({"rpm": 2}), clock)
    assert (await ask(client)).status_code == 200
    clock.now_s = 40.0
    assert (await ask(client)).status_code == 200
    clock.now_s = 59.999
    assert (await ask(client)).status_code == 429
    clock.now_s = 60.0
    assert (await ask(client)).status_code == 200
    assert (await ask(client)).status_code == 429


async def test_waiting_as_told_lets_in(serve: Serve) -> None:
    """Whoever waits for the seconds of Retry-After gets through at the first try."""
    clock = ManualClock()
    client = await serve(_limited({"rpm": 1, "rph": 2}, style="groq"), clock)
    assert (await ask(client)).status_code == 200
    clock.now_s = 12.3
    refused = await ask(client)
    assert refused.headers["retry-after"] == "48"
    clock.now_s += float(refused.headers["retry-after"])
    assert (await ask(client)).status_code == 200
    assert (await ask(client)).headers["retry-after"] == "3540"


async def test_a_fixed_window_opens_at_the_full_minute(serve: Serve) -> None:
    """Providers that count by the clock's minute refuse until its end, not for 60 s."""
    clock = ManualClock()
    clock.epoch_s = 600.0  # a full minute of Unix time
    client = await serve(_limited({"rpm": 1}, windows="fixed", style="groq"), clock)
    clock.now_s = 50.0
    assert (await ask(client)).status_code == 200
    assert (await ask(client)).headers["retry-after"] == "10"
    clock.now_s = 60.0
    assert (await ask(client)).status_code == 200


@pytest.mark.parametrize(("scope", "second"), [("per-model", 200), ("shared", 429)])
async def test_pools(serve: Serve, scope: str, second: int) -> None:
    """A shared pool is emptied by any model; otherwise each model has its own."""
    models = (make_sim_model(id="one"), make_sim_model(id="two"))
    client = await serve(_limited({"rpm": 1}, quota_scope=scope, models=models))
    assert (await ask(client, model="one")).status_code == 200
    assert (await ask(client, model="two")).status_code == second
    assert (await ask(client, model="one")).status_code == 429


async def test_each_key_has_its_own_quota(serve: Serve) -> None:
    """One account's use never empties another's."""
    client = await serve(_limited({"rpm": 1}, keys=("key-a", "key-b")))
    statuses = []
    for key in ("key-a", "key-a", "key-b"):
        client.headers["authorization"] = f"Bearer {key}"
        statuses.append((await ask(client)).status_code)
    assert statuses == [200, 429, 200]


async def test_a_models_own_limit_replaces_or_joins_the_providers(serve: Serve) -> None:
    """Per model it replaces the provider's; in a shared pool both hold."""
    models = (make_sim_model(limits=parse_limits({"rpm": 2})),)
    client = await serve(_limited({"rpm": 1}, models=models))
    assert [(await ask(client)).status_code for _ in range(3)] == [200, 200, 429]
    client = await serve(_limited({"rpm": 1}, models=models, quota_scope="shared"))
    assert [(await ask(client)).status_code for _ in range(2)] == [200, 429]


async def test_bad_requests_cost_no_quota(serve: Serve) -> None:
    """Only what is admitted counts."""
    client = await serve(_limited({"rpm": 1}))
    assert (await ask(client, temperature=9)).status_code == 400
    assert (await ask(client)).status_code == 200


async def test_no_more_answers_are_under_way_than_allowed(serve: Serve) -> None:
    """Of twelve at once three are served, the others told to come back; then there is room."""
    provider = make_sim_provider(max_concurrent=3, first_token_s=0.5, style="cerebras")
    client = await serve(make_scenario(provider))
    answers = await asyncio.gather(*(ask(client) for _ in range(12)))
    assert Counter(one.status_code for one in answers) == {200: 3, 429: 9}
    refused = next(one for one in answers if one.status_code == 429)
    assert refused.json()["code"] == "queue_exceeded"
    assert refused.headers["x-should-retry"] == "false"
    assert (await ask(client)).status_code == 200


async def test_limits_may_change_unannounced(serve: Serve) -> None:
    """What was used before still counts; headers tell the new limit."""
    clock = ManualClock()
    scenario = _limited({"rpm": 4}, style="groq", limits_change_s=30.0, limits_change_factor=0.5)
    client = await serve(scenario, clock)
    assert [(await ask(client)).status_code for _ in range(2)] == [200, 200]
    clock.now_s = 30.0
    assert (await ask(client)).status_code == 429
    clock.now_s = 60.0
    answers = [await ask(client) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]


def test_time_may_run_faster() -> None:
    """At ten times the speed a minute is over after six seconds."""
    real = ManualClock()
    clock = Clock(lambda: real.now_s, speed=10.0)
    real.now_s += 6.0
    assert clock.elapsed_s() == pytest.approx(60.0)

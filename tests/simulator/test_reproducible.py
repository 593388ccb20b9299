"""The same seed and the same requests give the same answers, paces and faults."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from gateway.simulator import Fault, FaultKind, default_scenario
from gateway.simulator.pacing import draw_pace
from gateway.simulator.workload import prompts
from tests.factories import make_scenario, make_sim_model, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import ask, asking, state


async def _run(serve: Serve, seed: int) -> tuple[list[Any], list[Any]]:
    fault = Fault(FaultKind.ERROR, rate=0.3)
    model = make_sim_model(specialties=("reasoning",))
    provider = make_sim_provider(models=(model,), faults=(fault,), first_token_s=0.001, jitter=0.5)
    client = await serve(make_scenario(provider, seed=seed))
    answers = []
    for prompt in islice(prompts(3), 25):
        answer = (await ask(client, prompt.text, max_tokens=prompt.max_tokens)).json()
        answers.append({**answer, "created": None})
    return answers, (await state(client))["recent"]


async def test_two_runs_are_equal(serve: Serve) -> None:
    """Answers with their ids, faults and drawn paces agree; another seed differs in each."""
    answers, decisions = await _run(serve, seed=4)
    assert (answers, decisions) == await _run(serve, seed=4)
    other_answers, other_decisions = await _run(serve, seed=5)
    assert answers != other_answers
    assert [one["fault"] for one in decisions] != [one["fault"] for one in other_decisions]
    assert {one["fault"] for one in decisions} == {None, "error"}


async def test_concurrency_does_not_change_the_draws(serve: Serve) -> None:
    """Forty requests at once draw the same forty paces and faults as one after another."""
    provider = make_sim_provider(faults=(Fault(FaultKind.ERROR, rate=0.5),), jitter=0.5)
    at_once = await serve(make_scenario(provider))
    await asyncio.gather(*(ask(at_once) for _ in range(40)))
    in_turn = await serve(make_scenario(provider))
    for _ in range(40):
        await ask(in_turn)
    assert (await state(at_once))["recent"] == (await state(in_turn))["recent"]


async def test_the_same_prompt_and_seed_give_the_same_text(serve: Serve) -> None:
    """The request's seed decides; another seed may say something else."""
    client = await serve()
    texts = [
        (await ask(client, "Tell me about tides", seed=seed)).json()["choices"][0]["message"]
        for seed in (1, 1, 2, 3, 4)
    ]
    assert texts[0] == texts[1]
    assert any(one != texts[0] for one in texts[2:])


async def test_a_stream_keeps_its_pace(serve: Serve) -> None:
    """No token comes before it is due."""
    provider = make_sim_provider(first_token_s=0.1, tokens_per_s=200.0, tokens_per_chunk=1)
    client = await serve(make_scenario(provider))
    body = asking("Explain in detail how tides work", stream=True, max_tokens=101)
    began_s = time.monotonic()
    async with client.stream("POST", "/sim-wren/v1/chat/completions", json=body) as answer:
        arrived_s = [
            time.monotonic() - began_s
            async for line in answer.aiter_lines()
            if '"content": ' in line and '"role"' not in line
        ]
    assert len(arrived_s) == 101
    assert all(at_s >= 0.1 + no / 200 - 0.002 for no, at_s in enumerate(arrived_s))
    assert arrived_s[-1] < 5.0  # due at 0.6 s; room for a busy machine


def test_processes_agree() -> None:
    """What is drawn does not hang on a process' own hash seed."""
    code = (
        "from gateway.simulator import default_scenario as default\n"
        "from gateway.simulator.answers import compose\n"
        "from gateway.simulator.asking import Ask\n"
        "from gateway.simulator.pacing import draw_pace\n"
        "provider = default().providers[0]\n"
        "ask = Ask('m', (('user', 'Explain tides'),), temperature=0.7)\n"
        "print(compose(1, provider.name, provider.models[0], ask))\n"
        "print(draw_pace(1, provider, provider.models[0], 5, None))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_paces_stay_near_their_base() -> None:
    """No draw of the default scenario is more than four times off, and they differ."""
    for provider in default_scenario().providers:
        for model in provider.models:
            base_s = provider.first_token_s if model.first_token_s is None else model.first_token_s
            drawn = [draw_pace(1, provider, model, no, None).first_token_s for no in range(50)]
            assert len(set(drawn)) > 40
            assert all(base_s / 4 <= one <= base_s * 4 for one in drawn)

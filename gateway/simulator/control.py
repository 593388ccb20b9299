"""The simulator's own door, for tests and people: state, faults, reset. Loopback only."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from gateway.simulator.exchange import BodyTooLargeError, Exchange
from gateway.simulator.parsing import read_fault
from gateway.simulator.reading import ScenarioError, Table
from gateway.simulator.runtime import RunningProvider, Simulation, Tally
from gateway.simulator.scenario import Fault

_MOST_BYTES = 1_000_000


async def serve_control(simulation: Simulation, exchange: Exchange, action: str) -> None:
    if not exchange.is_from_loopback:
        await _say(exchange, 403, {"error": "only this machine may control the simulator"})
        return
    match exchange.method, action:
        case "GET", "state":
            await _say(exchange, 200, describe(simulation))
        case "POST", "reset":
            simulation.reset()
            await _say(exchange, 200, {"reset": True})
        case "POST", "faults":
            await _set_faults(simulation, exchange)
        case _:
            known = "GET /_sim/state, POST /_sim/faults, POST /_sim/reset"
            await _say(exchange, 404, {"error": f"not here; there is {known}"})


def describe(simulation: Simulation) -> dict[str, Any]:
    return {
        "scenario": simulation.scenario.name,
        "seed": simulation.scenario.seed,
        "elapsed_s": round(simulation.clock.elapsed_s(), 6),
        "providers": {slug: _describe(one) for slug, one in simulation.providers.items()},
    }


def _describe(running: RunningProvider) -> dict[str, Any]:
    tallies = {model: asdict(tally) for model, tally in running.tallies.items()}
    totals = {name: sum(one[name] for one in tallies.values()) for name in asdict(Tally())}
    faults = [
        {**asdict(one.fault), "matched": one.matched, "struck": one.struck}
        for one in running.faults
    ]
    return {
        "requests": running.requests,
        "listed": running.listed,
        **totals,
        "models": tallies,
        "faults": faults,
        "recent": list(running.recent),
    }


async def _set_faults(simulation: Simulation, exchange: Exchange) -> None:
    """Replace the faults of one provider, or of all; an empty list clears them."""
    if not exchange.header("content-type").startswith("application/json"):
        # a page in a browser cannot send this type across origins without asking first
        await _say(exchange, 415, {"error": "content-type must be application/json"})
        return
    try:
        values = json.loads(await exchange.read(_MOST_BYTES))
        targets, faults = _read_order(simulation, Table(values))
    except (ValueError, RecursionError, BodyTooLargeError) as error:
        await _say(exchange, 400, {"error": str(error) or "the body is too large"})
        return
    for running in targets:
        running.set_faults(faults)
    await _say(exchange, 200, {"providers": [one.spec.slug for one in targets]})


def _read_order(
    simulation: Simulation, table: Table
) -> tuple[list[RunningProvider], tuple[Fault, ...]]:
    slug = table.text("provider", "")
    if slug and slug not in simulation.providers:
        raise ScenarioError(f"provider names none here: {slug!r:.60}")
    faults = tuple(read_fault(one) for one in table.tables("faults"))
    table.done()
    targets = [simulation.providers[slug]] if slug else list(simulation.providers.values())
    return targets, faults


async def _say(exchange: Exchange, status: int, body: dict[str, Any]) -> None:
    await exchange.reply(status, json.dumps(body).encode())

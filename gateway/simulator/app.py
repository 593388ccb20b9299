"""The ASGI app: a provider behind each `/<slug>/v1`, and the control door `/_sim`."""

from __future__ import annotations

import asyncio
import json

from gateway.simulator.chat import Rejected, recognise, send, serve_chat
from gateway.simulator.control import serve_control
from gateway.simulator.exchange import App, ClientGone, Exchange, Receive, Scope, Send
from gateway.simulator.faulty import replace_answer
from gateway.simulator.runtime import RunningProvider, Simulation
from gateway.simulator.scenario import Scenario
from gateway.simulator.styles import Problem, ProblemKind
from gateway.simulator.wires import WIRES


def build_app(scenario: Scenario) -> App:
    """An ASGI app that plays the scenario, for any server or an in-process transport."""
    return app_for(Simulation(scenario))


def app_for(simulation: Simulation) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the simulator speaks http only, not {scope['type']}")
        exchange = Exchange(scope, receive, send)
        try:
            await _route(simulation, exchange)
        except ClientGone:
            return

    return app


async def _route(simulation: Simulation, exchange: Exchange) -> None:
    slug, _, rest = exchange.path.lstrip("/").partition("/")
    if slug == "_sim":
        await serve_control(simulation, exchange, rest)
        return
    running = simulation.providers.get(slug)
    if running is None:
        await _introduce(simulation, exchange)
        return
    path = rest.removeprefix("v1/") if rest.startswith("v1/") else ""
    hint = WIRES[running.spec.dialect].hint(path)
    if exchange.method == "GET" and path == "models":
        await _list_models(simulation, running, exchange)
    elif exchange.method == "POST" and hint is not None:
        await serve_chat(simulation, running, exchange, hint)
    else:
        text = f"Unknown request URL: {exchange.method} {exchange.path:.200}"
        problem = Problem(ProblemKind.UNKNOWN_MODEL, 404, text)
        await send(exchange, running.style.problem(problem))


async def _list_models(
    simulation: Simulation, running: RunningProvider, exchange: Exchange
) -> None:
    try:
        recognise(running, exchange)
    except Rejected as rejection:
        await send(exchange, running.style.problem(rejection.problem))
        return
    running.listed += 1
    fault = running.next_fault("", on="models", replacing=True)
    if fault is not None:
        work = replace_answer(exchange, running.style, fault)
        await exchange.while_connected(work, simulation.stopping)
        return
    if running.spec.list_s:
        await exchange.while_connected(asyncio.sleep(running.spec.list_s), simulation.stopping)
    listed = running.style.model_list(running.spec, exchange.query)
    await exchange.reply(200, json.dumps(listed).encode())


async def _introduce(simulation: Simulation, exchange: Exchange) -> None:
    """Say who is here: at the root with 200, elsewhere with 404."""
    bases = {slug: f"/{slug}/v1" for slug in simulation.providers}
    body = {"simulator": simulation.scenario.name, "providers": bases}
    await exchange.reply(200 if exchange.path == "/" else 404, json.dumps(body).encode())

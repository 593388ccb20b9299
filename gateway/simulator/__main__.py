"""python -m gateway.simulator [--scenario FILE] [--host ADDRESS] [--port PORT] [--uds PATH]."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket
import sys
from pathlib import Path

from gateway.simulator.reading import ScenarioError
from gateway.simulator.runtime import Simulation
from gateway.simulator.scenario import Scenario, default_scenario
from gateway.simulator.server import SimulatorServer, listen, listen_unix

_FASTEST = 10_000


def main(arguments: list[str] | None = None) -> int:
    options = _read_options(arguments)
    try:
        scenario = Scenario.load(options.scenario) if options.scenario else default_scenario()
    except ScenarioError as error:
        return _fail(f"{error}. Correct the scenario and start again.")
    if not 0 < options.speed <= _FASTEST:
        return _fail(f"--speed must be above 0 and at most {_FASTEST}.")
    try:
        listener = _listen(options)
    except (OSError, OverflowError) as error:
        where = options.uds or f"{options.host} port {options.port}"
        reason = getattr(error, "strerror", None) or error
        return _fail(f"cannot listen on {where}: {reason}. Choose another with --port or --uds.")
    sys.stdout.write(_greeting(scenario, listener))
    sys.stdout.flush()
    asyncio.run(_serve(scenario, listener, options.speed))
    if options.uds:
        options.uds.unlink(missing_ok=True)
    return 0


def _greeting(scenario: Scenario, listener: socket.socket) -> str:
    """One line once connections are taken, so that whoever started us need not guess."""
    address = listener.getsockname()
    if isinstance(address, str):
        where = address
    else:
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        where = f"http://{host}:{address[1]}"
    return f"simulator: scenario {scenario.name}, {len(scenario.providers)} providers on {where}\n"


def _read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gateway.simulator")
    parser.add_argument("--scenario", help="a TOML file; the bundled scenario without it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--uds", type=Path, help="a unix socket's path, instead of host and port")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="of the clock of quotas and faults"
    )
    return parser.parse_args(arguments)


def _listen(options: argparse.Namespace) -> socket.socket:
    return listen_unix(options.uds) if options.uds else listen(options.host, options.port)


async def _serve(scenario: Scenario, listener: socket.socket, speed: float) -> None:
    server = SimulatorServer(
        Simulation(scenario, speed=speed), listener, stop_on=(signal.SIGTERM, signal.SIGINT)
    )
    await server.run_until_stopped()


def _fail(sentence: str) -> int:
    sys.stderr.write(f"simulator: {sentence}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Serving the app with uvicorn: over TCP or a unix socket, and inside tests."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.simulator.app import app_for
from gateway.simulator.exchange import ABORT_EXTENSION
from gateway.simulator.runtime import Clock, Simulation
from gateway.simulator.scenario import Scenario

_BACKLOG = 1_024
_TICK_S = 0.1
_GRACE_S = 0.5
_LINGER_NOT = struct.pack("ii", 1, 0)  # close sends RST and forgets what is unsent


class DroppableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a way for the app to drop the connection under the client."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT_EXTENSION: {"drop": self._drop}}

    def _drop(self, *, is_reset: bool) -> None:
        if not is_reset:
            self.transport.close()  # what was written still arrives, then the line is dead
            return
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            # a duplicate, because event loops hand out a restricted view of their socket
            with socket.socket(fileno=os.dup(raw.fileno())) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()


class SimulatorServer(uvicorn.Server):
    """Stops at once: open answers are dropped instead of waited for."""

    def __init__(
        self, simulation: Simulation, listener: socket.socket, stop_on: Sequence[signal.Signals]
    ) -> None:
        config = uvicorn.Config(
            app_for(simulation),
            http=DroppableProtocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
        )
        super().__init__(config)
        self._simulation = simulation
        self._listener = listener
        self._stop_on = stop_on
        self._stop_asked = asyncio.Event()

    async def run_until_stopped(self) -> None:
        await self.serve(sockets=[self._listener])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, not raised again at the end: being stopped is no failure."""
        loop = asyncio.get_running_loop()
        for one in self._stop_on:
            loop.add_signal_handler(one, self.stop)
        try:
            yield
        finally:
            for one in self._stop_on:
                loop.remove_signal_handler(one)

    def stop(self) -> None:
        self.should_exit = True
        self._stop_asked.set()

    async def main_loop(self) -> None:
        """Like uvicorn's own, but it hears of the stop at once."""
        ticks = itertools.count()
        while not await self.on_tick(next(ticks)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop_asked.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection and wait only for the tasks that served them."""
        self._simulation.stopping.set()
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=_GRACE_S)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises OSError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # asyncio sets this only for sockets made with an explicit protocol; without it every answer
    # waits 40 ms for the client's delayed acknowledgement. Accepted sockets inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def listen_unix(path: Path) -> socket.socket:
    """A listening unix socket; a dead one left at `path` is replaced, a live one is not."""
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.asynccontextmanager
async def running_simulator(scenario: Scenario, clock: Clock | None = None) -> AsyncIterator[str]:
    """Serve the scenario in the current loop on a free loopback port; yields the base URL.

    `clock` governs quotas and fault windows; paces and holds always pass in real time.
    """
    listener = listen("127.0.0.1", 0)
    server = SimulatorServer(Simulation(scenario, clock), listener, stop_on=())
    serving = asyncio.create_task(server.run_until_stopped())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await serving

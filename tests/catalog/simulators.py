"""A simulator beside tests of code that is not async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.simulator.scenario import Scenario
from gateway.simulator.server import running_simulator


@contextmanager
def simulator_in_thread(scenario: Scenario) -> Iterator[str]:
    """A simulator on a loop and socket of its own, for tests of code that is not async."""
    ready, over = threading.Event(), threading.Event()
    address: list[str] = []

    async def serve() -> None:
        async with running_simulator(scenario) as url:
            address.append(url)
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        assert ready.wait(timeout=20)
        yield address[0]
    finally:
        over.set()
        thread.join(timeout=20)

"""A simulator on a real socket, and how tests speak with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest
from hypothesis import HealthCheck, settings

from gateway.simulator import Scenario
from gateway.simulator.runtime import Clock
from gateway.simulator.server import running_simulator
from tests.factories import make_scenario

# a loaded machine is no reason to call a test slow
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

Serve = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a simulator for a scenario and a clock; gives its client, closes both at the end."""
    async with AsyncExitStack() as stack:

        async def start(
            scenario: Scenario | None = None, clock: Clock | None = None
        ) -> httpx.AsyncClient:
            url = await stack.enter_async_context(
                running_simulator(scenario or make_scenario(), clock)
            )
            limits = httpx.Limits(max_connections=200)
            client = httpx.AsyncClient(base_url=url, trust_env=False, timeout=20, limits=limits)
            return await stack.enter_async_context(client)

        yield start

"""A simulator on a real socket whose models the catalog offers, and streams read to their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async

from catalog import snapshot, standing
from catalog.models import Offer
from gateway.simulator.server import running_simulator
from playground.running import carrying
from tests.factories import make_model, make_offer, make_provider, make_scenario, make_sim_provider

WITHIN_S = 10.0


@dataclass(frozen=True)
class Simulated:
    """A simulated provider, and the catalog's offer of its model."""

    offer: Offer
    url: str

    async def state(self) -> dict[str, Any]:
        """What the provider has seen so far."""
        async with httpx.AsyncClient(trust_env=False) as client:
            state = (await client.get(f"{self.url}/_sim/state")).json()
        seen: dict[str, Any] = state["providers"][self.offer.provider.slug]
        return seen

    async def wait_for(self, count: str, value: int) -> None:
        """Until the provider has counted that many; it hears of a closed connection a bit later."""
        async with asyncio.timeout(WITHIN_S):
            while (await self.state())[count] < value:  # noqa: ASYNC110 - it is not in this process
                await asyncio.sleep(0.02)  # another process hears of it in its own time


Simulate = Callable[..., Awaitable[Simulated]]


@pytest.fixture(autouse=True)
def _fresh_snapshot() -> None:
    """No test sees the offers and levels of the one before."""
    snapshot.forget()
    standing.forget()


@pytest.fixture
async def simulate(transactional_db: None) -> AsyncIterator[Simulate]:
    """Start a simulated provider and offer its model in the catalog; gives the offer."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(carrying())  # no run outlives its test

        async def start(
            slug: str = "sim-wren", name: str = "Wren 8B", **fields: object
        ) -> Simulated:
            provider = make_sim_provider(slug=slug, **fields)
            url = await stack.enter_async_context(running_simulator(make_scenario(provider)))
            offer = await sync_to_async(_offer)(slug, name, f"{url}/{slug}/v1")
            snapshot.forget()
            return Simulated(offer, url)

        yield start


def _offer(slug: str, name: str, base_url: str) -> Offer:
    provider = make_provider(
        slug=slug, name=slug.title(), base_url=base_url, allows_private_address=True
    )
    model = make_model(name)
    return make_offer(provider, model, external_id="wren-8b", context_tokens=32_768)

"""Whom a provider's refusal holds back, and for how long: never more than it speaks of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.limiter.quota import Level
from gateway.policy import LimiterPolicy, StaticPolicy
from gateway.simulator.server import running_simulator
from gateway.simulator.styles import STYLES
from gateway.types import LimitHeader, Outcome, Secret, Target, parse_limits
from tests.factories import make_scenario, make_sim_model, make_sim_provider
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import Received, Wire, ask, chat, refuses, upstream

_AUTH = {"gemini": "x-goog-api-key", "nlpcloud": "Authorization: Token"}
_KEY = "sim-key-0000000001"
_DIALECTS = {name: name for name in ("cohere", "gemini", "nlpcloud")}
_DAY_S = 86_400


@pytest.fixture
async def patient(redis_url: str) -> AsyncIterator[Gateway]:
    """An engine with the usual pauses after refusals, which it does not wait for."""
    policy = replace(QUICK, limiter=LimiterPolicy(max_wait_s=0.1, max_wait_last_s=0.5))
    async with Gateway.open(redis_url, policy=StaticPolicy(policy)) as opened:
        yield opened


def make_target(url: str, style: str, model: str, pool: str) -> Target:
    """One whose limits the engine does not know, so that the provider must refuse."""
    return Target(
        provider="sim-wren",
        model=model,
        base_url=f"{url}/sim-wren/v1",
        dialect=_DIALECTS.get(style, "openai"),
        auth=_AUTH.get(style, "bearer"),
        key=Secret(_KEY),
        key_id="1",
        pool=pool,
    )


async def level(gateway: Gateway, target: Target) -> Level:
    await gateway.drain()
    return (await gateway.levels([target]))[target]


async def refusal(gateway: Gateway, target: Target) -> AllTargetsFailed:
    with pytest.raises(AllTargetsFailed) as caught:
        await gateway.complete(ask(), [target])
    return caught.value


@pytest.mark.parametrize("limit", ["rpm", "rpd"])
@pytest.mark.parametrize("style", sorted(STYLES))
async def test_a_refused_model_leaves_the_others(patient: Gateway, style: str, limit: str) -> None:
    """Where quotas are per model, one that is used up rests alone, and a minute for a minute."""
    provider = make_sim_provider(
        style=style,
        dialect=_DIALECTS.get(style, "openai"),
        keys=(_KEY,),
        limits=parse_limits({limit: 1}),
        models=(make_sim_model(id="a"), make_sim_model(id="b")),
    )
    async with running_simulator(make_scenario(provider)) as url:
        used_up, other = (make_target(url, style, model, model) for model in "ab")
        await patient.complete(ask(), [used_up])
        refused = await refusal(patient, used_up)
        assert refused.attempts[0].outcome in (Outcome.THROTTLED, Outcome.QUOTA_EXHAUSTED)
        rest_s = (await level(patient, used_up)).blocked_for_s
        assert 0 < rest_s <= (61 if limit == "rpm" else _DAY_S + 1800)
        assert (await refusal(patient, used_up)).outcome is Outcome.RATE_LIMITED
        assert (await level(patient, other)).blocked_for_s == 0
        assert (await patient.complete(ask(), [other])).text


async def test_a_crowded_host_behind_a_shared_pool(gateway: Gateway) -> None:
    """OpenRouter passes on that one model's host is crowded: its other models go on."""
    metadata = {"provider_name": "SomeHost", "raw": "m is temporarily rate-limited upstream"}
    body = {"error": {"message": "Provider returned error", "code": 429, "metadata": metadata}}
    async with upstream(refuses(429, body)) as provider:
        crowded = provider.target("a", pool="*")
        refused = await refusal(gateway, crowded)
        assert refused.attempts[0].outcome is Outcome.UNAVAILABLE
        assert (await level(gateway, crowded)).blocked_for_s == 0


async def test_a_minutes_headers_do_not_empty_the_day(gateway: Gateway) -> None:
    """Headers that name neither window nor limit nor reset say nothing of a day's quota."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, chat(), {"x-left": "0"})

    headers = (LimitHeader("X-Left", "remaining requests/window", "integer"),)
    async with upstream(script) as provider:
        target = provider.target(limits=parse_limits({"rpd": 50}), limit_headers=headers)
        await gateway.complete(ask(), [target])
        assert (await level(gateway, target)).limits[0].left == 49


async def test_no_wait_is_longer_than_a_day(gateway: Gateway) -> None:
    """A Retry-After of a year would bench a quota for good; it is asked again after a day."""
    async with upstream(refuses(429, {}, {"Retry-After": str(300 * _DAY_S)})) as provider:
        await refusal(gateway, provider.target())
        rest_s = (await level(gateway, provider.target())).blocked_for_s
    assert rest_s == pytest.approx(_DAY_S, abs=5)


async def test_a_used_up_month_is_no_minute(gateway: Gateway) -> None:
    """Cohere says in words only that the month is over: no call every ten seconds."""
    body = {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}
    async with upstream(refuses(429, body)) as provider:
        target = provider.target(dialect="cohere")
        assert (await refusal(gateway, target)).outcome is Outcome.QUOTA_EXHAUSTED
        assert (await level(gateway, target)).blocked_for_s == pytest.approx(900, abs=5)

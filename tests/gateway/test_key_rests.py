"""Keys that were refused are set aside, and nothing else with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, AuthRejected
from gateway.policy import StaticPolicy
from gateway.types import Outcome, Target, parse_limits
from tests.gateway.conftest import QUICK
from tests.gateway.upstream import Received, Script, Wire, answers, ask, refuses, upstream

_WRONG = "sk-wrong-000000000001"


async def only_right_keys(wire: Wire, request: Received) -> None:
    if _WRONG in request.headers["authorization"]:
        await refuses(401)(wire, request)
    else:
        await answers(wire, request)


async def outcome_of(gateway: Gateway, target: Target) -> tuple[Outcome, str]:
    with pytest.raises(AllTargetsFailed) as caught:
        await gateway.complete(ask(), [target])
    return caught.value.attempts[-1].outcome, caught.value.attempts[-1].detail


async def test_a_wrong_key_is_tried_once(gateway: Gateway, redis_url: str) -> None:
    """It rests for all its models, in every process; the trail says why. Other keys go on."""
    async with upstream(only_right_keys) as provider, Gateway.open(redis_url) as other:
        assert (await outcome_of(gateway, provider.target("a", key=_WRONG)))[0] is (
            Outcome.AUTH_REJECTED
        )
        for engine in (gateway, other):
            outcome, detail = await outcome_of(engine, provider.target("b", key=_WRONG))
            assert outcome is Outcome.AUTH_REJECTED
            assert "rests until it is changed or tested" in detail
            assert "Answered 401" in detail
        assert len(provider.received) == 1
        assert (await gateway.complete(ask(), [provider.target("a", key_id="2")])).text == "Hello."


async def test_who_rests_can_be_looked_up(gateway: Gateway, redis_url: str) -> None:
    """In every process, with what was said; other keys and keyless targets are not named."""
    async with upstream(only_right_keys) as provider, Gateway.open(redis_url) as other:
        wrong = provider.target("a", key=_WRONG)
        others = [provider.target("a", key_id="2"), replace(wrong, key=None, key_id="none")]
        assert await gateway.key_rests([wrong, *others]) == {}
        await outcome_of(gateway, wrong)
        await gateway.drain()
        for engine in (gateway, other):
            (found,) = (await engine.key_rests([wrong, *others])).items()
            assert found[0] == wrong
            assert "401" in found[1]


async def test_a_resting_key_costs_no_quota(gateway: Gateway) -> None:
    """It holds nothing and says when it is asked again."""
    async with upstream(refuses(401)) as provider:
        target = provider.target(limits=parse_limits({"rpm": 5}))
        for _ in range(3):
            await outcome_of(gateway, target)
        await gateway.drain()
        assert (await gateway.levels([target]))[target].limits[0].left == 4
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [target])
    assert caught.value.retry_after_s == pytest.approx(600, abs=10)


async def test_a_changed_key_is_tried_at_once(gateway: Gateway) -> None:
    """The rest is of the key's value, not of its row."""
    async with upstream(only_right_keys) as provider:
        await outcome_of(gateway, provider.target(key=_WRONG))
        assert (await gateway.complete(ask(), [provider.target()])).text == "Hello."


async def test_a_forbidden_model_leaves_the_others(gateway: Gateway) -> None:
    """A key that may not use one model may use another."""

    async def script(wire: Wire, request: Received) -> None:
        await (refuses(403) if request.json["model"] == "a" else answers)(wire, request)

    async with upstream(script) as provider:
        for _ in range(2):
            assert (await outcome_of(gateway, provider.target("a")))[0] is Outcome.FORBIDDEN
        assert len(provider.received) == 1
        assert (await gateway.complete(ask(), [provider.target("b")])).text == "Hello."


async def test_a_test_of_the_key_ends_its_rest(gateway: Gateway) -> None:
    """A test passes the rest; one that succeeds ends it, one that fails does not."""
    scripts: list[Script] = [refuses(401), refuses(401), answers, answers]

    async def script(wire: Wire, request: Received) -> None:
        await scripts.pop(0)(wire, request)

    async with upstream(script) as provider:
        target = provider.target()
        await outcome_of(gateway, target)
        with pytest.raises(AuthRejected):
            await gateway.probe(target)
        assert "rests" in (await outcome_of(gateway, target))[1]
        await gateway.probe(target)
        assert (await gateway.complete(ask(), [target])).text == "Hello."


async def test_without_redis_each_process_remembers() -> None:
    """Rests hold without Redis, too, and a test ends them."""
    async with (
        Gateway.open(None, policy=StaticPolicy(QUICK)) as gateway,
        upstream(only_right_keys) as provider,
    ):
        for _ in range(2):
            await outcome_of(gateway, provider.target(key=_WRONG))
        assert len(provider.received) == 1
        assert (await gateway.complete(ask(), [provider.target()])).text == "Hello."


async def test_no_key_no_rest(gateway: Gateway) -> None:
    """A server that needs no key cannot have refused one."""
    async with upstream(refuses(401)) as provider:
        target = provider.target(key=None, auth="none")
        for _ in range(2):
            await outcome_of(gateway, target)
        assert len(provider.received) == 2

"""Rate headers and refusals in each provider's own format."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.styles.groq import go_duration
from gateway.types import parse_limits
from tests.factories import make_scenario, make_sim_provider
from tests.simulator.conftest import Serve
from tests.simulator.speaking import ManualClock, ask


async def _client(
    serve: Serve, style: str, limits: dict[str, int], clock: ManualClock | None = None
) -> httpx.AsyncClient:
    provider = make_sim_provider(style=style, limits=parse_limits(limits))
    return await serve(make_scenario(provider), clock)


def _rate_headers(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if "ratelimit" in name or name == "retry-after"
    }


@pytest.mark.parametrize(
    ("span_us", "text"),
    [
        (0, "0s"),
        (370_000, "370ms"),
        (1, "1ms"),
        (6_000_000, "6s"),
        (19_432_000, "19.432s"),
        (179_560_000, "2m59.56s"),
        (3_715_200_000, "1h1m55.2s"),
        (86_400_000_000, "24h0m0s"),
    ],
)
def test_durations_look_as_go_prints_them(span_us: int, text: str) -> None:
    """The formats Groq is known to send."""
    assert go_duration(span_us) == text


@given(st.integers(0, 10**12))
def test_durations_are_never_short(span_us: int) -> None:
    """Read back, a duration is the span, rounded up by less than a millisecond."""
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", go_duration(span_us))
    units = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000}
    read_us = round(sum(float(number) * units[unit] for number, unit in parts))
    assert span_us <= read_us < span_us + 1_000


async def test_groq(serve: Serve) -> None:
    """Requests of the day, tokens of the minute, resets as durations; text on refusal."""
    clock = ManualClock()
    limits = {"rpm": 1, "rpd": 1_000, "tpm": 8_000}
    client = await _client(serve, "groq", limits, clock)
    first = await ask(client)
    total = first.json()["usage"]["total_tokens"]
    assert _rate_headers(first) == {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-limit-tokens": "8000",
        "x-ratelimit-remaining-requests": "999",
        "x-ratelimit-remaining-tokens": str(8_000 - total),
        "x-ratelimit-reset-requests": "24h0m0s",
        "x-ratelimit-reset-tokens": "1m0s",
    }
    clock.now_s = 56.595
    refused = await ask(client)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "4"
    assert refused.headers["x-ratelimit-reset-tokens"] == "3.405s"
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "(RPM): Limit 1, Used 1, Requested 1. Please try again in 3.405s." in error["message"]


async def test_groq_refuses_what_can_never_fit_with_413(serve: Serve) -> None:
    """More tokens than the minute holds: another status, the same code."""
    client = await _client(serve, "groq", {"tpm": 50})
    refused = await ask(client, "word " * 100)
    assert refused.status_code == 413
    assert refused.json()["error"]["type"] == "tokens"
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"


async def test_cerebras(serve: Serve) -> None:
    """A header for each window, resets in seconds with six decimals; a flat refusal."""
    limits = {"rpm": 2, "rph": 150, "rpd": 2_400, "tpm": 30_000, "tph": 10**6, "tpd": 10**6}
    client = await _client(serve, "cerebras", limits, ManualClock())
    await ask(client)
    headers = _rate_headers(await ask(client, stream=True))
    assert len(headers) == 14
    assert headers["x-ratelimit-limit-requests-hour"] == "150"
    assert headers["x-ratelimit-remaining-requests-minute"] == "0"
    assert headers["x-ratelimit-reset-requests-day"] == "86400.000000"
    refused = await ask(client)
    assert _rate_headers(refused) == {"retry-after": "60"}
    assert refused.json() == {
        "message": "Requests per minute limit exceeded - too many requests sent.",
        "type": "too_many_requests_error",
        "param": "quota",
        "code": "request_quota_exceeded",
    }


async def test_mistral(serve: Serve) -> None:
    """Headers on plain answers and refusals, none on streams, never a Retry-After."""
    client = await _client(serve, "mistral", {"rpm": 2})
    assert _rate_headers(await ask(client, stream=True)) == {}
    minute = {"x-ratelimit-limit-req-minute": "2", "x-ratelimit-remaining-req-minute": "0"}
    assert _rate_headers(await ask(client)) == minute
    refused = await ask(client)
    assert _rate_headers(refused) == minute
    assert refused.json() == {
        "object": "error",
        "message": "Rate limit exceeded",
        "type": "rate_limited",
        "param": None,
        "code": "1300",
        "raw_status_code": 429,
    }


async def test_openrouter(serve: Serve) -> None:
    """Nothing on success; on refusal the reset as epoch ms, in the header and in the body."""
    clock = ManualClock()
    clock.epoch_s = 1_795_341_600.0
    client = await _client(serve, "openrouter", {"rpd": 1}, clock)
    assert _rate_headers(await ask(client)) == {}
    refused = await ask(client)
    shown = {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1795428000000",
    }
    assert _rate_headers(refused) == {name.lower(): value for name, value in shown.items()}
    error: dict[str, Any] = refused.json()["error"]
    assert error["code"] == 429
    assert error["message"].startswith("Rate limit exceeded: free-models-per-day")
    assert error["metadata"] == {"headers": shown, "provider_name": None}


async def test_sambanova(serve: Serve) -> None:
    """Minute and day, resets as Unix seconds."""
    clock = ManualClock()
    clock.epoch_s = 1_795_341_600.0
    client = await _client(serve, "sambanova", {"rpm": 1, "rpd": 20}, clock)
    await ask(client)
    clock.now_s = 20.0
    refused = await ask(client)
    assert _rate_headers(refused) == {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1795341660",
        "x-ratelimit-limit-requests-day": "20",
        "x-ratelimit-remaining-requests-day": "19",
        "x-ratelimit-reset-requests-day": "1795428000",
    }
    assert refused.json()["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize(
    ("style", "items", "id_field", "context_field"),
    [
        ("openai", "data", "id", None),
        ("groq", "data", "id", "context_window"),
        ("cerebras", "data", "id", None),
        ("mistral", "data", "id", "max_context_length"),
        ("openrouter", "data", "id", "context_length"),
        ("sambanova", "data", "id", "context_length"),
    ],
)
async def test_lists(
    serve: Serve, style: str, items: str, id_field: str, context_field: str | None
) -> None:
    """Each list has the shape its scenario entry promises to the catalog."""
    provider = make_sim_provider(style=style)
    assert (provider.list_items_path, provider.id_field) == (items, id_field)
    answer = await (await serve(make_scenario(provider))).get("/sim-wren/v1/models")
    entry = answer.json()[items][0]
    assert entry[id_field] == "wren-8b"
    if context_field:
        assert entry[context_field] == 131_072

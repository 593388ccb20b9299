"""Rate-limit headers in all their formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from httpx import Headers
from hypothesis import given
from hypothesis import strategies as st

from gateway.limiter.headers import parse_wait, read_cost, read_limits, retry_after_s
from gateway.limiter.quota import Reading
from gateway.types import Limit, LimitHeader, Unit, Window, parse_limits
from tests.gateway.upstream import make_target

_REPLIES = Path(__file__).parent / "replies"
_NOW = 1_795_341_600.0

_RPM, _RPD = Limit(Unit.REQUESTS, Window.MINUTE, 5), Limit(Unit.REQUESTS, Window.DAY, 2400)


@pytest.mark.parametrize(
    ("text", "format", "seconds"),
    [
        ("2m59.56s", "duration", 179.56),
        ("370ms", "duration", 0.37),
        ("1h1m55.2s", "duration", 3715.2),
        ("33011.382867", "seconds", 33011.382867),
        ("0", "seconds", 0),
        (str(int(_NOW) + 60), "epoch-s", 60),
        (str(int(_NOW + 60) * 1000), "epoch-ms", 60),
        (str(int(_NOW) + 60), "seconds", 60),  # plainly an epoch, whatever was said
        ("1795341660000", "duration", 60),
        ("Sun, 22 Nov 2026 10:01:00 GMT", "seconds", 60),
        (str(int(_NOW) - 60), "epoch-s", 0),
        ("-5", "seconds", None),
        ("nan", "seconds", None),
        ("inf", "seconds", None),
        ("soon", "duration", None),
        ("", "duration", None),
        ("5m garbage", "duration", None),
        ("1" * 400, "seconds", None),
    ],
)
def test_waits(text: str, format: str, seconds: float | None) -> None:  # noqa: A002 - the facts' word
    """Every format of the field, and nonsense, which is no wait."""
    found = parse_wait(text, format, _NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))


@given(text=st.text(max_size=40), format=st.sampled_from(["seconds", "duration", "epoch-s", "x"]))
def test_no_header_is_too_strange(text: str, format: str) -> None:  # noqa: A002 - the facts' word
    """Nothing raises; a wait is never negative and never beyond a year or so."""
    wait = parse_wait(text, format, _NOW)
    assert wait is None or 0 <= wait < 401 * 86_400
    assert retry_after_s({"retry-after": text}) is None or wait is not None or text.strip()
    target = make_target(
        limits=(_RPM,), limit_headers=(LimitHeader("x", "remaining requests/minute", format),)
    )
    read_limits((_RPM,), target.limit_headers, {"x": text})


def test_cerebras_names_its_windows() -> None:
    """Remaining and reset are read per unit and window."""
    headers = _headers("cerebras/200-headers")
    target = make_target(
        limits=(_RPM, _RPD),
        limit_headers=(
            LimitHeader(
                "x-ratelimit-remaining-requests-minute", "remaining requests/minute", "integer"
            ),
            LimitHeader("x-ratelimit-remaining-requests-day", "remaining requests/day", "integer"),
            LimitHeader("x-ratelimit-reset-requests-day", "reset requests/day", "seconds"),
        ),
    )
    assert read_limits(target.limits, target.limit_headers, headers) == {
        _RPM: Reading(4, None),
        _RPD: Reading(2399, 33_011_382_867),
    }


def test_openrouter_names_no_window() -> None:
    """The limit whose amount the header names is meant."""
    target = make_target(
        limits=parse_limits({"rpm": 20, "rpd": 50}),
        limit_headers=(
            LimitHeader("X-RateLimit-Limit", "limit requests/window", "integer"),
            LimitHeader("X-RateLimit-Remaining", "remaining requests/window", "integer"),
            LimitHeader("X-RateLimit-Reset", "reset requests/window", "epoch-ms"),
        ),
    )
    headers = _headers("openrouter/429")
    headers["date"] = "Sun, 22 Nov 2026 23:00:00 GMT"
    assert read_limits(target.limits, target.limit_headers, headers) == {
        Limit(Unit.REQUESTS, Window.DAY, 50): Reading(0, 3_600_000_000, 50)
    }


def test_cloudflare_tells_what_a_call_cost() -> None:
    """Neurons are decimal; a part of one counts as one."""
    target = make_target(
        limit_headers=(LimitHeader("cf-ai-neurons", "cost neurons/request", "decimal"),)
    )
    assert read_cost(target, {"cf-ai-neurons": "3.2"}, Unit.NEURONS) == 4
    assert read_cost(target, {"cf-ai-neurons": "many"}, Unit.NEURONS) is None
    assert read_cost(target, {}, Unit.NEURONS) is None


def _headers(name: str) -> Headers:
    return Headers(json.loads((_REPLIES / f"{name}.json").read_text())["headers"])

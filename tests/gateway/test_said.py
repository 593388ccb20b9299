"""What refusals tell of the limits behind them, in each provider's own way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from httpx import Headers
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects import dialect_for
from gateway.dialects.said import limits_said, wait_said
from gateway.errors import ProviderError
from gateway.types import Outcome, SaidLimit, Unit, Window

_REPLIES = Path(__file__).parent / "replies"
_DIALECTS = {"cohere": "cohere", "google-ai-studio": "gemini", "nlp-cloud": "nlpcloud"}
_REQUESTS, _TOKENS = Unit.REQUESTS, Unit.TOKENS


def refusal(name: str) -> ProviderError:
    """A recorded reply through its provider's dialect."""
    reply = json.loads((_REPLIES / f"{name}.json").read_text())
    dialect = dialect_for(_DIALECTS.get(name.partition("/")[0], "openai"))
    headers = Headers({"Date": "Sun, 22 Nov 2026 23:00:00 GMT", **reply["headers"]})
    return dialect.classify_error(reply["status"], headers, json.dumps(reply["body"]).encode())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cerebras/429", SaidLimit(_REQUESTS, Window.MINUTE, None, 0)),
        ("cohere/429", SaidLimit(_REQUESTS, Window.MINUTE, 20, 0)),
        ("github-models/429", SaidLimit(_REQUESTS, Window.DAY, 50, 0)),
        ("google-ai-studio/429", SaidLimit(_REQUESTS, Window.MINUTE, 5, 0)),
        ("google-ai-studio/429-daily", SaidLimit(_REQUESTS, Window.DAY, 20, 0)),
        ("groq/413", SaidLimit(_TOKENS, Window.MINUTE, 8000, None)),
        ("groq/429", SaidLimit(_TOKENS, Window.MINUTE, 8000, 5409)),
        ("openrouter/429", SaidLimit(_REQUESTS, Window.DAY, 50, 0)),
    ],
)
def test_the_limit_that_was_hit(name: str, said: SaidLimit) -> None:
    """Amount and window, as far as the provider tells them."""
    assert refusal(name).said == (said,)


def test_who_tells_nothing_is_not_misread() -> None:
    """All other recorded refusals name no limit."""
    told = {"cerebras/429", "cohere/429", "github-models/429", "google-ai-studio/429"}
    told |= {"google-ai-studio/429-daily", "groq/413", "groq/429", "openrouter/429"}
    names = {f"{one.parent.name}/{one.stem}" for one in _REPLIES.glob("*/[345]*.json")}
    assert len(names - told) > 20
    assert not {name for name in names - told if refusal(name).said}


def classified(body: object, dialect: str = "openai", **headers: str) -> ProviderError:
    return dialect_for(dialect).classify_error(429, Headers(headers), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        ("Requests per minute limit exceeded - too many requests sent.", Outcome.THROTTLED),
        ("Tokens per hour limit exceeded - too many tokens processed.", Outcome.THROTTLED),
        ("Tokens per day limit exceeded - too many tokens processed.", Outcome.QUOTA_EXHAUSTED),
        (
            "Rate limit reached for model `m` on requests per day (RPD): Limit 1000, Used 1000.",
            Outcome.QUOTA_EXHAUSTED,
        ),
        ("Rate limit exceeded: free-models-per-min. ", Outcome.THROTTLED),
        ("Rate limit exceeded: free-models-per-day. ", Outcome.QUOTA_EXHAUSTED),
        ("Rate limit of 15 per 60s exceeded for UserByMinute.", Outcome.THROTTLED),
        ("Rate limit of 5 per 0s exceeded for UserConcurrentRequests.", Outcome.THROTTLED),
    ],
)
def test_a_minute_is_told_from_a_day(message: str, outcome: Outcome) -> None:
    """A minute's refusal must not bench a quota for the day, nor a day's be asked each minute."""
    assert classified({"message": message}).outcome is outcome


@pytest.mark.parametrize(
    ("quota_id", "said", "outcome"),
    [
        (
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            SaidLimit(_TOKENS, Window.MINUTE, 250_000, None),
            Outcome.THROTTLED,
        ),
        (
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            SaidLimit(_REQUESTS, Window.DAY, 250_000, 0),
            Outcome.QUOTA_EXHAUSTED,
        ),
    ],
)
def test_googles_quota_ids(quota_id: str, said: SaidLimit, outcome: Outcome) -> None:
    """The id names unit and window, the value the amount."""
    violation = {"quotaId": quota_id, "quotaValue": "250000"}
    error = classified({"error": {"details": [{"violations": [violation]}]}}, "gemini")
    assert (error.said, error.outcome) == ((said,), outcome)


@pytest.mark.parametrize(
    ("message", "wait_s"),
    [
        ("Please try again in 3.405s.", 3.405),
        ("Please try again in 1m26.4s. Visit us.", 86.4),
        ("Please retry in 38.2s.", 38.2),
        ("Rate limit exceeded. Retry after 1 seconds.", 1),
        ("Please wait 5631 seconds before retrying.", 5631),
        ("Please try again later.", None),
        ("Wait for version 3 or retry with 4 tokens.", None),
    ],
)
def test_waits_in_words(message: str, wait_s: float | None) -> None:
    """Where no header tells it, the sentence does."""
    assert wait_said(message) == wait_s
    assert classified({"message": message}).retry_after_s == wait_s
    assert classified({"message": message}, **{"Retry-After": "7"}).retry_after_s == 7


def test_a_plan_without_the_model() -> None:
    """Mistral says with a limit of 0 that no waiting helps."""
    error = classified({"message": "Rate limit exceeded"}, **{"x-ratelimit-limit-req-minute": "0"})
    assert error.outcome is Outcome.FORBIDDEN


def test_a_model_that_was_withdrawn() -> None:
    """ModelScope answers 429 and speaks of money."""
    error = classified({"errors": {"message": "insufficient balance (1008)"}})
    assert error.outcome is Outcome.MODEL_GONE


@given(message=st.text() | st.from_regex(r"on tokens per day.*: Limit \d+, Used \d+"))
def test_no_sentence_is_too_strange(message: str) -> None:
    """Whatever it says, reading it raises nothing."""
    assert all(one.remaining is None or one.remaining >= 0 for one in limits_said(message, {}))
    assert (wait_said(message) or 0) >= 0

"""An engine on the test's own Redis, impatient enough for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.client import Gateway
from gateway.policy import LimiterPolicy, Policy, RetryPolicy, StaticPolicy, TimeoutPolicy

QUICK = Policy(
    limiter=LimiterPolicy(
        max_wait_s=0.1, max_wait_last_s=0.5, throttled_pause_s=0.1, warmup_share=1.0
    ),
    retry=RetryPolicy(base_s=0.001, cap_s=0.05),
    timeouts=TimeoutPolicy(
        connect_s=3, first_token_s=1.0, stall_s=1.0, answer_s=1.5, max_reply_bytes=200_000
    ),
)


@pytest.fixture
async def gateway(redis_url: str) -> AsyncIterator[Gateway]:
    async with Gateway.open(redis_url, policy=StaticPolicy(QUICK)) as opened:
        yield opened

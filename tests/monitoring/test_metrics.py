"""What Prometheus reads: true in every process, with bounded labels, for whoever may."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from freellm_site.lib.environment import BASE_DIR
from gateway.keys import EVENT_STREAM
from gateway.types import Outcome
from monitoring.models import CallRecord
from monitoring.recorder import GROUP
from tests.factories import make_attempt, make_call, make_event, make_offer, make_provider
from tests.servers import RedisServer

pytestmark = pytest.mark.django_db

DASHBOARD = BASE_DIR / "deploy" / "grafana-dashboard.json"


def told(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels, the provider first."""

    def names(labels: dict[str, str]) -> list[str]:
        return [labels[name] for name in sorted(labels, key=lambda name: name != "provider")]

    text = client.get("/metrics").text
    return {
        (one.name, *names(one.labels)): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_calls_since_the_first_one(viewer_client: Client) -> None:
    """Counted by provider and by how they came out; they stay when the rows are forgotten."""
    make_call(provider="sparrow", duration_s=0.6, first_token_s=0.3)
    make_call(provider="sparrow", outcome=Outcome.TIMEOUT)
    make_call(provider="", model="", key_id="none", outcome=Outcome.QUEUE_FULL, attempts=())
    throttled = (make_attempt(outcome=Outcome.THROTTLED, status=429), make_attempt())
    make_call(provider="wagtail", duration_s=3.0, attempts=throttled)
    CallRecord.objects.all().delete()
    samples = told(viewer_client)

    assert samples["freellm_calls_total", "sparrow", "first"] == 1
    assert samples["freellm_calls_total", "sparrow", "failed"] == 1
    assert samples["freellm_calls_total", "none", "failed"] == 1
    assert samples["freellm_refusals_total", "wagtail"] == 1
    assert samples["freellm_tokens_total", "sparrow", "in"] == 200
    assert samples["freellm_call_duration_seconds_bucket", "sparrow", "0.5"] == 0
    assert samples["freellm_call_duration_seconds_bucket", "sparrow", "1.0"] == 1
    assert samples["freellm_call_duration_seconds_count", "sparrow"] == 1
    assert samples["freellm_call_duration_seconds_sum", "wagtail"] == pytest.approx(3, rel=0.03)
    assert samples["freellm_first_token_seconds_bucket", "sparrow", "0.4"] == 1


def test_how_things_stand(viewer_client: Client, redis_server: RedisServer) -> None:
    """Providers that would let a call through, what is left of quotas, events that wait."""
    provider = make_provider(slug="sparrow")
    make_offer(provider, limits={"rpm": 30})
    with Redis(unix_socket_path=str(redis_server.socket)) as redis:
        redis.xgroup_create(EVENT_STREAM, GROUP, id="0", mkstream=True)
        for at_ms in (1_000, 4_500):
            redis.xadd(EVENT_STREAM, {"event": make_event().to_json()}, id=f"{at_ms}-0")
        redis.xreadgroup(GROUP, "one", {EVENT_STREAM: ">"}, count=1)
    samples = told(viewer_client)

    assert samples["freellm_provider_answers", "sparrow"] == 1
    assert samples["freellm_quota_left_ratio", "sparrow", "requests", "minute"] == 1
    assert samples["freellm_redis_up",] == 1
    assert samples["freellm_recorder_lag_seconds",] == 3.5


def test_without_redis_what_is_not_known_is_left_out(
    viewer_client: Client, redis_server: RedisServer
) -> None:
    """Counters stay; a gauge of something that cannot be seen would be a lie."""
    make_call(provider="sparrow")
    make_offer(make_provider(slug="sparrow"))
    redis_server.kill()
    samples = told(viewer_client)

    assert samples["freellm_redis_up",] == 0
    assert samples["freellm_calls_total", "sparrow", "first"] == 1
    assert not {name for name, *_ in samples} & {
        "freellm_provider_answers",
        "freellm_recorder_lag_seconds",
    }


@pytest.mark.parametrize(
    ("token", "said", "status"),
    [
        ("t" * 20, f"Bearer {'t' * 20}", 200),
        ("t" * 20, "Bearer wrong", 403),
        ("t" * 20, "", 403),
        ("", "Bearer ", 403),
        ("", "", 403),
    ],
)
def test_only_who_may_reads_it(
    client: Client, settings: Any, token: str, said: str, status: int
) -> None:
    """The token's bearer, never everybody: also where no token is set."""
    settings.METRICS_TOKEN = token

    assert client.get("/metrics", headers={"Authorization": said}).status_code == status


def test_the_dashboard_asks_for_what_there_is(viewer_client: Client) -> None:
    """Every metric that the Grafana dashboard names is told, each with its unit in its name."""
    make_call(provider="sparrow")
    make_offer(make_provider(slug="sparrow"), limits={"rpm": 30})
    names = {name for name, *_ in told(viewer_client)}
    asked = set(re.findall(r"freellm_\w+", json.dumps(json.loads(DASHBOARD.read_text())["panels"])))

    assert asked
    assert asked <= names

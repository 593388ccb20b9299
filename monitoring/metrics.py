"""What Prometheus is told: the same figures whichever process answers, and after a restart.

Nothing is counted in a process. Calls are read from their sums since the first one, which are kept
in the database with the calls themselves; how things stand is read from Redis. Labels are bounded:
providers are those of the catalog, everything else is a closed set; models, keys and users are not
told apart here (the pages do that).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from freellm_site.lib.redis_watch import WatchedRedis
from gateway.keys import EVENT_STREAM
from monitoring.health import State, provider_healths
from monitoring.models import Course, Rollup
from monitoring.recorder import GROUP
from monitoring.rollups import SINCE_EVER_S, STEP_FIELDS, step_of
from monitoring.series import Step, merged
from monitoring.sketch import Sketch
from monitoring.subjects import Kind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_DURATIONS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
_FIRST_TOKENS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_NO_PROVIDER = "none"  # of calls that reached none


def exposition() -> bytes:
    """All of it, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Calls())
    registry.register(_Standing())
    return generate_latest(registry)


class _Calls(Collector):
    def collect(self) -> Iterator[Metric]:
        steps = _steps_by_provider()
        yield _counter(
            "freellm_calls",
            "Calls by how they came out.",
            "outcome",
            {
                (provider, course): step.courses.get(course, 0)
                for provider, step in steps.items()
                for course in Course.values
            },
        )
        yield _counter(
            "freellm_tokens",
            "Tokens of prompts (in) and answers (out).",
            "direction",
            {
                (provider, direction): count
                for provider, step in steps.items()
                for direction, count in (
                    ("in", step.prompt_tokens),
                    ("out", step.completion_tokens),
                )
            },
        )
        refusals = CounterMetricFamily(
            "freellm_refusals", "Refusals by a provider with status 429.", labels=["provider"]
        )
        for provider, step in steps.items():
            refusals.add_metric([provider], step.throttled)
        yield refusals
        yield _histogram(
            "freellm_call_duration_seconds",
            "From a call's beginning to the end of its answer, answers of providers only.",
            _DURATIONS_S,
            {provider: step.duration_s for provider, step in steps.items()},
        )
        yield _histogram(
            "freellm_first_token_seconds",
            "From a call's beginning to its first token, answers of providers only.",
            _FIRST_TOKENS_S,
            {provider: step.first_token_s for provider, step in steps.items()},
        )


class _Standing(Collector):
    """How providers and the recorder stand now; what is not known is left out."""

    def collect(self) -> Iterator[Metric]:
        answers = GaugeMetricFamily(
            "freellm_provider_answers",
            "Whether a call would be let through now.",
            labels=["provider"],
        )
        left = GaugeMetricFamily(
            "freellm_quota_left_ratio",
            "What is left of a provider's tightest quota.",
            labels=["provider", "unit", "window"],
        )
        for one in provider_healths():
            if one.state is not State.UNKNOWN:
                answers.add_metric([one.slug], float(one.answers_now))
            if one.quantity is not None:
                limit = one.quantity.limit
                left.add_metric([one.slug, limit.unit, limit.window], one.quantity.fraction)
        yield answers
        yield left
        yield from _recorder()


def _recorder() -> Iterator[Metric]:
    up = GaugeMetricFamily("freellm_redis_up", "Whether Redis answers.")
    lag = GaugeMetricFamily(
        "freellm_recorder_lag_seconds", "From the oldest call not in the database to the newest."
    )
    lag_s = _lag_s()
    up.add_metric([], float(lag_s is not None))
    if lag_s is not None:
        lag.add_metric([], lag_s)
    yield up
    yield lag


def _lag_s() -> float | None:
    """By the stream's ids, which begin with milliseconds; None while Redis is away."""
    try:
        newest = _redis().xrevrange(EVENT_STREAM, count=1)
        groups = _redis().xinfo_groups(EVENT_STREAM)
        mine = next((one for one in groups if one["name"] == GROUP.encode()), None)
        waiting = _redis().xpending(EVENT_STREAM, GROUP)["min"] if mine else None
    except ResponseError:  # no call has ever been told of
        return 0.0
    except (RedisError, OSError):
        return None
    if not (newest and mine):
        return 0.0
    written = waiting or mine["last-delivered-id"]
    return max(0, _ms(newest[0][0]) - _ms(written)) / 1_000


def _ms(entry_id: Any) -> int:  # bytes, whatever redis-py's types say
    return int(entry_id.partition(b"-")[0])


@cache
def _redis() -> Redis:
    return WatchedRedis.from_url(settings.REDIS_URL, socket_connect_timeout=0.3, socket_timeout=0.5)


def _steps_by_provider() -> dict[str, Step]:
    """Since the first call; those that reached none are what the providers leave of all."""
    rows = Rollup.objects.filter(step_s=SINCE_EVER_S, kind__in=(Kind.ALL, Kind.PROVIDER))
    steps = {row["provider"]: step_of(row) for row in rows.values("provider", *STEP_FIELDS)}
    everything = steps.pop("", Step())
    reached = merged(steps.values())
    left = {
        course: count - reached.courses.get(course, 0)
        for course, count in everything.courses.items()
    }
    return {**steps, _NO_PROVIDER: Step(left)}


def _counter(
    name: str, told: str, label: str, counts: Mapping[tuple[str, str], int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, told, labels=["provider", label])
    for labels, count in counts.items():
        family.add_metric(labels, count)
    return family


def _histogram(
    name: str, told: str, bounds: tuple[float, ...], sketches: Mapping[str, Sketch]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, told, labels=["provider"])
    for provider, sketch in sketches.items():
        buckets = [(str(bound), float(sketch.count_up_to(bound))) for bound in bounds]
        family.add_metric([provider], [*buckets, ("+Inf", float(sketch.count))], sketch.total)
    return family

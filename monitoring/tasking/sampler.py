"""How background work stands, for the page of the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from celery import current_app
from django.core.cache import caches
from django.http import QueryDict
from django.template.loader import render_to_string
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from catalog.models import Refresh, RefreshState
from gateway.client import Gateway
from gateway.store import StoreAwayError
from monitoring.models import TaskRecord
from monitoring.sampling import Sample
from monitoring.tasking.heartbeat import Beating, beatings
from monitoring.tasking.picture import PARTS, SHOWN, TasksPicture


@dataclass(frozen=True, slots=True)
class TasksSample:
    """`in_broker` is how many messages wait in the queue; None: the broker does not say."""

    processes: Sequence[Beating]
    in_broker: int | None
    unfinished: Sequence[TaskRecord]
    recent: Sequence[TaskRecord]
    latest: Mapping[str, TaskRecord]
    progress: Mapping[int, tuple[int, int]]  # of refreshes that run, by their id


class TasksSampler:
    name = "tasks"

    async def sample(self, gateway: Gateway) -> TasksSample:
        try:
            processes = await sync_to_async(_processes)()
        except (RedisError, OSError) as error:
            raise StoreAwayError from error
        in_broker = await sync_to_async(_in_broker, thread_sensitive=False)()
        return await sync_to_async(_records)(processes, in_broker)

    def state(self, samples: Sequence[Sample], asked: QueryDict) -> Mapping[str, Any]:
        if not samples:
            return {}
        shown = TasksPicture(samples[-1].value)
        context = {"shown": shown, "may_act": asked.get("act") == "1"}
        return {
            "texts": {"headline": shown.headline},
            "parts": {
                name: render_to_string(template, context) for name, template in PARTS.items()
            },
        }


TASKS = TasksSampler()


def _processes() -> list[Beating]:
    redis = caches["default"].client.get_client()  # type: ignore[attr-defined]  # django-redis'
    return beatings(redis)


def _in_broker() -> int | None:
    """Asked passively, as every broker can be; a queue that was never used has nothing in it."""
    try:
        with current_app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=1)
            channel: Any = connection.default_channel
            try:
                return int(channel.queue_declare(_queue(), passive=True).message_count)
            except connection.channel_errors:
                return 0
    except (OperationalError, RedisError, OSError):
        return None


def _queue() -> str:
    return str(current_app.conf.task_default_queue)


def _records(processes: Sequence[Beating], in_broker: int | None) -> TasksSample:
    running = Refresh.objects.filter(state=RefreshState.RUNNING)
    return TasksSample(
        processes,
        in_broker,
        list(TaskRecord.objects.unfinished()[:SHOWN]),
        list(TaskRecord.objects.ended()[:SHOWN]),
        TaskRecord.objects.latest_of_each(),
        {pk: (done, total) for pk, done, total in running.values_list("pk", "done", "total")},
    )

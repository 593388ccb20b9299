"""Workers and beat tell that they are alive, and what they do, once a second, in one hash of Redis.

Told rather than asked: an answer from a worker that is gone is never waited for, and it does not
matter which broker carries the tasks. A worker says goodbye; who is killed falls silent.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from celery.signals import beat_init, worker_ready, worker_shutting_down
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

WORKERS = "freellm:workers"
EVERY_S = 1.0
SILENT_AFTER_S = 5.0
REMEMBERED_S = 3600.0  # one that fell silent is shown as gone for so long
_TTL_S = 2 * 86_400

Doing = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Beating:
    """What one process tells of itself; `active` are task ids. Times are Redis' Unix time."""

    name: str
    kind: str  # worker or beat
    told_s: float
    now_s: float
    pool: int = 0
    done: int = 0
    active: tuple[str, ...] = ()

    @property
    def silent_s(self) -> float:
        return max(0.0, self.now_s - self.told_s)

    @property
    def is_alive(self) -> bool:
        return self.silent_s < SILENT_AFTER_S


class Heart:
    """One thread per process, for as long as it lives."""

    def __init__(self, kind: str, name: str, doing: Doing) -> None:
        self._kind = kind
        self._name = name
        self._doing = doing
        self._stopping = threading.Event()
        self._redis = Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye: it is not missed."""
        self._stopping.set()
        self._thread.join(2)
        try:
            self._redis.hdel(WORKERS, self._name)
        except (RedisError, OSError):
            logger.info("Redis is away: this process leaves without saying goodbye.")

    def _beat(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self._tell()
            except (RedisError, OSError):
                continue  # it will be there again; nothing waits for this

    def _tell(self) -> None:
        told = {"kind": self._kind, "told_s": _unix(self._redis), **self._doing()}
        pipe = self._redis.pipeline(transaction=False)
        pipe.hset(WORKERS, self._name, json.dumps(told))
        pipe.expire(WORKERS, _TTL_S)
        pipe.execute()


_hearts: list[Heart] = []


@worker_ready.connect
def begin_in_worker(sender: Any = None, **_: object) -> None:
    from celery.worker import state as worker_state  # noqa: PLC0415 - a web process needs none of it

    name = str(getattr(sender, "hostname", "") or socket.gethostname())
    pool = int(getattr(getattr(sender, "pool", None), "limit", 0) or 1)

    def doing() -> Mapping[str, Any]:
        active = [request.id for request in list(worker_state.active_requests)]
        done = sum(worker_state.total_count.values()) - len(active)
        return {"pool": pool, "active": active, "done": max(0, done)}

    _begin(Heart("worker", f"{name}:{os.getpid()}", doing))


@beat_init.connect
def begin_in_beat(**_: object) -> None:
    _begin(Heart("beat", f"beat@{socket.gethostname()}:{os.getpid()}", dict))
    atexit.register(end)  # Celery has no signal for a beat that ends


@worker_shutting_down.connect
def end(**_: object) -> None:
    while _hearts:
        _hearts.pop().stop()


def _begin(heart: Heart) -> None:
    _hearts.append(heart)
    heart.start()


def beatings(redis: Redis) -> list[Beating]:
    """Who told of itself within the last hour; raises RedisError."""
    now_s = _unix(redis)
    told: dict[bytes, bytes] = redis.hgetall(WORKERS)  # type: ignore[assignment]  # not awaited here
    found = []
    for name, text in told.items():
        one = _understood(name, text, now_s)
        if one is None or one.silent_s > REMEMBERED_S:
            redis.hdel(WORKERS, name)
        else:
            found.append(one)
    return sorted(found, key=lambda one: (not one.is_alive, one.kind != "worker", one.name))


def _understood(name: bytes, text: bytes, now_s: float) -> Beating | None:
    try:
        said = json.loads(text)
        active = tuple(said.pop("active", ()))
        return Beating(name.decode(), now_s=now_s, active=active, **said)
    except (ValueError, TypeError):
        return None


def _unix(redis: Redis) -> float:
    seconds, microseconds = redis.time()
    return int(seconds) + int(microseconds) / 1_000_000

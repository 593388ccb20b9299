"""What must hold before anything starts; each problem is one sentence that names the remedy."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import socket
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet

from freellm_site.lib.environment import redis_socket

# The database, the collected static files and the logs of a first start need half of it.
NEEDED_MB = 64


class CannotStart(Exception):
    """The message is for the terminal."""


def make_var(var: Path) -> None:
    """Create the folder of all state, readable by its owner alone."""
    try:
        for folder in (var, var / "secrets", var / "log", var / "redis", redis_socket(var).parent):
            folder.mkdir(parents=True, exist_ok=True)
        var.chmod(0o700)
        redis_socket(var).parent.chmod(0o700)
        probe = var / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"Cannot write to {var} ({error.strerror}). Make it writable for this user, "
            "or choose another place: VAR_DIR=/path make run"
        ) from error
    free_mb = shutil.disk_usage(var).free // 1024**2
    if free_mb < NEEDED_MB:
        raise CannotStart(
            f"Only {free_mb} MB are free at {var}, and FreeLLM needs {NEEDED_MB}. Make room, "
            "or choose another place: VAR_DIR=/path make run"
        )


def write_secrets(var: Path) -> None:
    """Generate the secrets that are not there yet; an existing one is never touched."""
    _write_once(var / "secrets" / "secret_key", secrets.token_urlsafe(50))
    _write_once(var / "secrets" / "field_encryption_keys", Fernet.generate_key().decode())


def _write_once(path: Path, value: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(value + "\n")


def take_lock(var: Path) -> IO[str]:
    """One instance per `var`; held until the returned file is closed."""
    lock = (var / "run.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.readline().strip() or "unknown"
        lock.close()
        raise CannotStart(
            f"FreeLLM is already running on {var} (process {holder}). Stop that one, "
            "or start a second with its own: VAR_DIR=/path PORT=8100 make run"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def tell_address(lock: IO[str], url: str) -> None:
    """For who asks while the lock is held, whatever ports are set where they ask."""
    lock.write(f"{url}\n")
    lock.flush()


def running_address(var: Path) -> str | None:
    """Where the instance on this `var` answers; None where none runs."""
    try:
        with (var / "run.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        _, _, url = (var / "run.lock").read_text().partition("\n")
        return url.strip() or None
    return None


def check_port(host: str, port: int) -> None:
    try:
        _bind(host, port)
    except OSError as error:
        raise CannotStart(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken. Choose another: PORT={port + 100} make run"
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has. Choose one above 1023: PORT=8000"
    return f"Cannot listen on {host} ({error.strerror}). Check HOST; 127.0.0.1 always works."


def free_port(wanted: int) -> int:
    """`wanted`, else any free port of the loopback address."""
    for port in (wanted, 0):
        try:
            return _bind("127.0.0.1", port)
        except OSError:
            continue
    raise CannotStart("No port is free for the simulator. Set SIMULATOR_PORT to one.")


def _bind(host: str, port: int) -> int:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        return int(listener.getsockname()[1])

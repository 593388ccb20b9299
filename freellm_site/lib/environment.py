"""Where the environment comes from: the process', then `.env`, then files named by NAME_FILE."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import quote

from environs import FileAwareEnv
from environs.exceptions import EnvValidationError

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# Linux allows 107 bytes for a unix socket's path, macOS 103.
LONGEST_SOCKET_PATH = 100

_WITH_PASSWORD = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
_INVALID = re.compile(r'Environment variable "(\w+)" invalid')


def read_environment() -> FileAwareEnv:
    """The typed reader, with `.env` of the project's folder read in."""
    env = FileAwareEnv()
    env.read_env(str(BASE_DIR / ".env"), recurse=False)
    return env


def in_words(error: ValueError) -> str:
    """One sentence about a setting that was refused, with its value unless that may be secret."""
    told = _INVALID.match(str(error))
    if not told or not isinstance(error, EnvValidationError):
        return f"{str(error).rstrip('.')}. See .env.example."
    name, reason = told[1], " ".join(error.error_messages).rstrip(".")
    verb = "must be" if reason.startswith("Must be") else "is"
    rest = reason.removeprefix("Must be").lstrip()
    rest = rest[:1].lower() + rest[1:]
    return f"{name} {verb} {rest}{_as_given(name)}. See .env.example."


def _as_given(name: str) -> str:
    """The value, unless it holds a password, or comes from a file."""
    value = os.environ.get(name)
    return "" if value is None or name in _WITH_PASSWORD else f" (it is {value})"


def var_dir(env: FileAwareEnv) -> Path:
    return Path(env.str("VAR_DIR", "") or BASE_DIR / "var").expanduser().resolve()


# Whoever listens everywhere is called here from this machine. "::" takes no IPv4.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def local_name(host: str) -> str:
    """How an address of this machine's own names a HOST; an IPv6 address stands in brackets."""
    host = _EVERYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host


def names_of(host: str) -> list[str]:
    """Under which names a site that listens on HOST is called; any, where it listens on all."""
    if host in _EVERYWHERE:
        return ["*"]
    return ["localhost", "127.0.0.1", "[::1]", local_name(host)]


def redis_socket(var: Path) -> Path:
    """The embedded Redis' socket: in `var`, or in a private folder where that path is too long."""
    socket = var / "redis.sock"
    if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH:
        return socket
    digest = hashlib.sha256(os.fsencode(var)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"freellm-{os.getuid()}-{digest}" / "redis.sock"


def redis_socket_url(var: Path) -> str:
    return f"unix://{quote(str(redis_socket(var)))}"


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path))}"

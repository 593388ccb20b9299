"""What a setting must look like; each check raises marshmallow's ValidationError in words.

Nothing is looked up and nothing is asked: an address may be of a server that is not up yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dj_database_url
from marshmallow import ValidationError

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_TOKEN_LENGTH = 16
_DATABASES = {"django.db.backends.sqlite3", "django.db.backends.postgresql"}


def time_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValidationError("Must be a time zone such as UTC or Europe/Berlin.") from error


def long_enough_or_empty(token: str) -> None:
    if 0 < len(token) < _TOKEN_LENGTH:
        raise ValidationError(f"Must have {_TOKEN_LENGTH} or more characters, or none.")


def listen_address(host: str) -> None:
    if not (_is_host_name(host) or _is_ip(host)):
        raise ValidationError("Must be an address of this machine such as 127.0.0.1 or ::1.")


def web_address(url: str) -> None:
    parts = _split(url)
    is_plain = parts is not None and not (parts.query or parts.fragment or parts.username)
    if not is_plain or parts is None or not _is_web(parts) or parts.path.strip("/"):
        raise ValidationError("Must be an address such as https://freellm.example.org.")


def host_names(hosts: Sequence[str]) -> None:
    """As in ALLOWED_HOSTS: names, a leading dot for all below, IPv6 in brackets, * for any."""
    wrong = [host for host in hosts if not _is_allowed_host(host)]
    if wrong or not hosts:
        raise ValidationError(
            "Must be names without scheme and port, separated by commas, "
            "such as freellm.example.org,localhost."
        )


def web_origins(origins: Sequence[str]) -> None:
    """As in CSRF_TRUSTED_ORIGINS: https://name, or https://*.name."""
    for origin in origins:
        try:
            web_address(origin.replace("://*.", "://", 1))
        except ValidationError as error:
            raise ValidationError(
                "Must be addresses with their scheme, separated by commas, "
                "such as https://freellm.example.org."
            ) from error


def redis_address(url: str) -> None:
    if not _is_server(url, {"redis", "rediss"}) and not _is_socket(url, "unix"):
        raise ValidationError("Must be redis://host:6379/0, rediss://… or unix:///path.")


def broker_address(url: str) -> None:
    servers = {"amqp", "amqps", "redis", "rediss"}
    if not _is_server(url, servers) and not _is_socket(url, "redis+socket"):
        raise ValidationError("Must be amqp://user:password@host:5672// or redis://host:6379/0.")


def database_address(url: str) -> None:
    """A database that all processes share: one in memory is each process' own."""
    try:
        parsed = dj_database_url.parse(url)
    except (ValueError, KeyError):
        parsed = {}
    if parsed.get("ENGINE") not in _DATABASES or parsed.get("NAME") in {"", ":memory:"}:
        raise ValidationError("Must be postgres://user:password@host/name or sqlite:///path.")


def _split(url: str) -> SplitResult | None:
    """The address' parts; None where it is none, which also a port that is no number makes it."""
    if re.search(r"[\s\x00-\x1f\\]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_web(parts: SplitResult) -> bool:
    return parts.scheme in {"http", "https"} and _is_host(parts.hostname)


def _is_server(url: str, schemes: set[str]) -> bool:
    parts = _split(url)
    return parts is not None and parts.scheme in schemes and _is_host(parts.hostname)


def _is_socket(url: str, scheme: str) -> bool:
    parts = _split(url)
    return parts is not None and parts.scheme == scheme and len(parts.path) > 1


def _is_host(host: str | None) -> bool:
    return host is not None and (_is_host_name(host) or _is_ip(host))


def _is_allowed_host(host: str) -> bool:
    if host.startswith("["):
        return host.endswith("]") and _is_ip(host[1:-1])
    return host == "*" or _is_host_name(host.removeprefix("."))


def _is_host_name(text: str) -> bool:
    return _HOST_NAME.fullmatch(text) is not None


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

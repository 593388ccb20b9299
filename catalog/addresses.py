"""Which addresses a person may enter for an endpoint: nothing that leads into our own house.

A server that calls any URL it is given can be made to read a cloud's metadata service or an
internal page. So the host is resolved and every address it has is judged, here with a sentence
for the form's field. The engine judges again whenever it connects (`gateway.addresses`), because
a name that was harmless when it was saved may lead elsewhere later; it follows no redirect.
"""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit, urlunsplit

from gateway.addresses import AddressRefused as Refused
from gateway.addresses import IPAddress, literal_of, never_metadata, only_public

RESOLVE_TIMEOUT_S = 3.0

_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_UNWANTED = re.compile(r"[\x00-\x20\x7f\\]")
_METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "instance-data"})


class AddressRefused(Exception):
    """This address may not be called. The message is one sentence with the remedy.

    `is_private` where only the permission for private addresses is missing.
    """

    def __init__(self, message: str, *, is_private: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.is_private = is_private


async def check_address(url: str, *, allow_private: bool) -> str:
    """Return `url` in its normal form; raises AddressRefused."""
    parts = split_address(url)
    host = parts.hostname or ""
    for address in await _addresses_of(host, _port_of(parts)):
        judge_address(address, host=host, allow_private=allow_private)
    return urlunsplit(parts)


def split_address(url: str) -> SplitResult:
    """Parse and normalise what a person typed, without asking the network."""
    typed = url.strip()
    if _UNWANTED.search(typed):
        raise AddressRefused("The address holds a space, backslash or control character.")
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(
            "This is not an address; it looks like http://host:port/v1."
        ) from error
    if port == 0:
        raise AddressRefused("Nobody answers at port 0; leave the port out or enter the true one.")
    if parts.scheme not in {"http", "https"}:
        raise AddressRefused("The address must begin with http:// or https://.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("Leave out user and password; enter the key in its own field.")
    if parts.query or parts.fragment:
        raise AddressRefused("Leave out everything from “?” or “#” on.")
    host = _normal_host(parts.hostname or "")
    netloc = host if port is None else f"{host}:{port}"
    return SplitResult(parts.scheme, netloc, parts.path.rstrip("/"), "", "")


def judge_address(address: IPAddress, *, host: str, allow_private: bool) -> None:
    """Raise AddressRefused unless a call to this resolved address is allowed."""
    try:
        never_metadata(address)
    except Refused as error:
        raise AddressRefused(
            f"{host} is not called: {error} Enter the address of the server itself."
        ) from error
    try:
        if not allow_private:
            only_public(address)
    except Refused as error:
        raise AddressRefused(
            f"{host} leads to {address}, a private address. "
            "Tick “Allow private addresses” if that server is yours.",
            is_private=True,
        ) from error


def _normal_host(typed: str) -> str:
    if ":" in typed:
        return f"[{_ipv6(typed)}]"
    try:
        # Also turns look-alikes, such as full-width digits and dots, into what they stand for.
        host = typed.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError as error:
        raise AddressRefused("The host is not a name that exists; check its spelling.") from error
    if not host or not _HOST.fullmatch(host):
        raise AddressRefused("The host is missing or holds a character no host name has.")
    if host in _METADATA_HOSTS:
        raise AddressRefused(
            f"{host} is a cloud's metadata service, which is never called; "
            "enter the server's own address."
        )
    literal = literal_of(host)
    return str(literal) if literal else host


def _ipv6(typed: str) -> IPv6Address:
    try:
        return IPv6Address(typed)
    except ValueError as error:
        raise AddressRefused("The host is not an IPv6 address.") from error


def _port_of(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


async def _addresses_of(host: str, port: int) -> tuple[IPAddress, ...]:
    lookup = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            answers = await lookup
    except TimeoutError as error:
        raise AddressRefused(f"Nobody could say within 3 s where {host} is; try again.") from error
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"There is no host named {host}; check its spelling.") from error
    # An IPv6 answer may carry a scope: fe80::1%eth0.
    return tuple({ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers})

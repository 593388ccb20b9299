"""Which addresses the engine connects to.

Checked when it connects, so that a name that changes its address after it was accepted (DNS
rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressCheck = Callable[[IPAddress], None]

# Clouds serve their machines' credentials here; not all of it is link-local.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """The engine does not connect there; the message says why."""


def never_metadata(address: IPAddress) -> None:
    """Refuse what no provider ever answers from: link-local, metadata, multicast, nowhere."""
    plain = _unwrapped(address)
    if plain in _METADATA or plain.is_link_local:
        raise AddressRefused(f"{plain} is a link-local or cloud metadata address.")
    if plain.is_multicast or plain.is_unspecified:
        raise AddressRefused(f"{plain} is not the address of a server.")


def only_public(address: IPAddress) -> None:
    """Refuse private ranges as well."""
    never_metadata(address)
    plain = _unwrapped(address)
    if not plain.is_global:
        raise AddressRefused(f"{plain} is a private address, which is not allowed here.")


def _unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4), which is where packets end."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def check_literal(host: str, check: AddressCheck) -> None:
    """Check a host that is itself an address: those never pass a resolver."""
    address = _literal(host)
    if address is not None:
        check(address)


@functools.lru_cache(maxsize=1_000)
def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


class CheckedResolver(AbstractResolver):
    """The system's resolver; an answer with a refused address is refused as a whole."""

    def __init__(self, check: AddressCheck) -> None:
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        for one in found:
            self._check(ipaddress.ip_address(str(one[4][0]).partition("%")[0]))
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""

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
# "This network", and what was reserved for a future that did not come, with the broadcast.
_NOWHERE = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "240.0.0.0/4")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_LOOPBACK6 = ipaddress.IPv6Address("::1")


class AddressRefused(OSError):
    """The engine does not connect there; the message says why."""


def never_metadata(address: IPAddress) -> None:
    """Refuse what no provider ever answers from: link-local, metadata, multicast, nowhere."""
    for plain in _meant(address):
        if plain in _METADATA or plain.is_link_local:
            raise AddressRefused(f"{plain} is a link-local or cloud metadata address.")
        if plain.is_multicast or plain.is_unspecified or _is_nowhere(plain):
            raise AddressRefused(f"{plain} is not the address of a server.")


def only_public(address: IPAddress) -> None:
    """Refuse private ranges as well."""
    never_metadata(address)
    for plain in _meant(address):
        if not plain.is_global:
            raise AddressRefused(f"{plain} is a private address, which is not allowed here.")


def _is_nowhere(address: IPAddress) -> bool:
    return isinstance(address, ipaddress.IPv4Address) and any(address in one for one in _NOWHERE)


def _meant(address: IPAddress) -> tuple[IPAddress, ...]:
    """Where packets may end: the IPv4 addresses inside an IPv6 one, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address in _LOCAL_NAT64:
        return _inside_local_nat64(int(address))
    if address.teredo:
        return address.teredo
    is_compatible = address in _IPV4_COMPATIBLE and int(address) > int(_LOOPBACK6)
    if address in _NAT64 or is_compatible:
        return (_low_32(int(address)),)
    return (address.ipv4_mapped or address.sixtofour or address,)


def _inside_local_nat64(number: int) -> tuple[ipaddress.IPv4Address, ...]:
    """At the end, as below a prefix of 96 bits, or around bit 64, as below one of 48 (RFC 6052)."""
    low = _low_32(number)
    if number >> 32 == int(_LOCAL_NAT64.network_address) >> 32:
        return (low,)
    split = ipaddress.IPv4Address((number >> 64 & 0xFFFF) << 16 | (number >> 40 & 0xFFFF))
    is_tail_empty = number & (1 << 40) - 1 == 0
    return (split,) if is_tail_empty else (low, split)


def _low_32(number: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(number & 0xFFFFFFFF)


def check_literal(host: str, check: AddressCheck) -> None:
    """Check a host that is itself an address: those never pass a resolver."""
    address = literal_of(host)
    if address is not None:
        check(address)


@functools.lru_cache(maxsize=1_000)
def literal_of(host: str) -> IPAddress | None:
    """The address a host spells out, 2130706433, 0x7f.1 and 0177.0.0.1 as the system reads them."""
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return _lenient_ipv4(host)


def _lenient_ipv4(host: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError, ValueError):
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

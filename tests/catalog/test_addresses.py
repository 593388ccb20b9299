"""Which addresses may be called: nothing that leads into our own house."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from catalog.addresses import AddressRefused, check_address, judge_address, split_address
from gateway.addresses import AddressRefused as EngineRefused
from gateway.addresses import check_literal, never_metadata

PRIVATE_BLOCKS = [
    ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")
]


def inside(block: str) -> st.SearchStrategy[IPv4Address]:
    network = ip_network(block)
    return st.integers(int(network[0]), int(network[-1])).map(IPv4Address)


def is_refused(address: IPv4Address | IPv6Address, *, allow_private: bool) -> bool:
    try:
        judge_address(address, host="it", allow_private=allow_private)
    except AddressRefused:
        return True
    return False


FORBIDDEN = st.one_of(
    *map(inside, ("169.254.0.0/16", "224.0.0.0/4", "0.0.0.0/8", "240.0.0.0/4")),
    st.just(IPv4Address("255.255.255.255")),
    st.just(IPv4Address("100.100.100.200")),
    st.just(IPv4Address("168.63.129.16")),
)
PRIVATE = st.sampled_from(PRIVATE_BLOCKS).flatmap(lambda block: inside(str(block)))


def below_48(address: IPv4Address) -> IPv6Address:
    """In a NAT64 prefix of 48 bits, with the 8 bits that stay empty in the middle (RFC 6052)."""
    number = int(address)
    split = (number >> 16) << 64 | (number & 0xFFFF) << 40
    return IPv6Address(int(IPv6Address("64:ff9b:1::")) | split)


DISGUISES: dict[str, Callable[[IPv4Address], IPv6Address]] = {
    "mapped": lambda one: IPv6Address(0xFFFF << 32 | int(one)),
    "compatible": lambda one: IPv6Address(int(one)),
    "nat64": lambda one: IPv6Address(int(IPv6Address("64:ff9b::")) | int(one)),
    "local nat64, 96 bits": lambda one: IPv6Address(int(IPv6Address("64:ff9b:1::")) | int(one)),
    "local nat64, 48 bits": below_48,
    "6to4": lambda one: IPv6Address(0x2002 << 112 | int(one) << 80),
    "teredo": lambda one: IPv6Address(0x20010000 << 96 | 0x08080808 << 64 | ~int(one) & 0xFFFFFFFF),
}


@given(FORBIDDEN, st.booleans())
def test_what_is_no_server_is_never_allowed(address: IPv4Address, allow_private: bool) -> None:
    """No permission opens link-local, metadata, multicast, broadcast or nowhere."""
    assert is_refused(address, allow_private=allow_private)


@pytest.mark.parametrize("disguise", DISGUISES)
@given(forbidden=FORBIDDEN, private=PRIVATE)
def test_ipv6_disguises_are_judged_by_what_is_inside(
    disguise: str, forbidden: IPv4Address, private: IPv4Address
) -> None:
    """By the IPv4 address that packets end at."""
    dress = DISGUISES[disguise]
    assume(int(forbidden) > 1)  # as IPv4-compatible these are "nowhere" and loopback of IPv6
    assert is_refused(dress(forbidden), allow_private=True)
    assert is_refused(dress(private), allow_private=False)
    assert not is_refused(dress(private), allow_private=True)


@pytest.mark.parametrize("disguise", sorted(set(DISGUISES) - {"compatible", "teredo"}))
def test_a_public_address_may_come_through_a_translator(disguise: str) -> None:
    """Networks with IPv6 alone reach every IPv4 server so."""
    public = DISGUISES[disguise](IPv4Address("8.8.4.4"))
    assert not is_refused(public, allow_private=True)
    assert not is_refused(public, allow_private=False)


@given(PRIVATE)
def test_private_ranges_need_the_permission(address: IPv4Address) -> None:
    """Private addresses are refused, and allowed where an admin allows them."""
    assert is_refused(address, allow_private=False)
    assert not is_refused(address, allow_private=True)


@given(inside("169.254.0.0/16"))
async def test_numbers_in_any_notation_are_understood(address: IPv4Address) -> None:
    """Decimal, octal and hexadecimal hosts are what the resolver would make of them."""
    octal = ".".join(f"0{byte:o}" for byte in address.packed)
    for host in (str(int(address)), hex(int(address)), octal, str(address), f"{address}."):
        with pytest.raises(EngineRefused):
            check_literal(host.rstrip("."), never_metadata)
        with pytest.raises(AddressRefused):
            await check_address(f"http://{host}/v1", allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/v1",
        "http://[fd00:ec2::254]/v1",
        "http://metadata.google.internal/v1",
        "http://metadata.google.internal./v1",
        "http://METADATA/v1",
        "http://0.0.0.0:11434/v1",
        "http://[::]/v1",
        "http://[fe80::1]/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[::169.254.169.254]/v1",
        "http://[64:ff9b::a9fe:a9fe]/v1",
        "http://[64:ff9b:1::a9fe:a9fe]/v1",
        "http://255.255.255.255/v1",
        "http://0.1.2.3/v1",
        "http://224.0.0.1/v1",
        "http://[ff02::1]/v1",
        "http://localhost:0/v1",
        "http://025177524776/v1",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://１６９.254.169.254/v1",  # noqa: RUF001 - full-width digits are the point
        "http://169。254。169。254/",
        "file:///etc/passwd",
        "ftp://example.com/",
        "//example.com/v1",
        "http://",
        "http:///v1",
        "http://user:pass@example.com/v1",
        "http://example.com\\@169.254.169.254/",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://example.com/v1?x=1",
        "http://%31%36%39.254.169.254/",
        "http://[::1",
        "http://a\x00b/",
    ],
)
async def test_these_are_refused_whatever_is_allowed(url: str) -> None:
    """Each of these either leads to metadata or is no address of a server."""
    with pytest.raises(AddressRefused) as refused:
        await check_address(url, allow_private=True)
    assert refused.value.message.endswith((".", "…"))


async def test_loopback_needs_the_permission_and_says_so() -> None:
    """The sentence names the box to tick."""
    with pytest.raises(AddressRefused, match="Allow private addresses") as refused:
        await check_address("http://127.1:11434/v1", allow_private=False)
    assert refused.value.is_private
    assert await check_address("http://127.1:11434/v1/", allow_private=True) == (
        "http://127.0.0.1:11434/v1"
    )


@given(st.text(max_size=80))
def test_splitting_never_fails_otherwise(text: str) -> None:
    """Whatever is typed, the answer is an address or a refusal."""
    try:
        parts = split_address(f"http://{text}")
    except AddressRefused:
        return
    assert parts.hostname

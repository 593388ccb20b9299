"""Which addresses may be called: nothing that leads into our own house."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.addresses import AddressRefused, check_address, judge_address, split_address

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


@given(st.one_of(inside("169.254.0.0/16"), inside("224.0.0.0/4")), st.booleans())
def test_link_local_and_multicast_are_never_allowed(
    address: IPv4Address, allow_private: bool
) -> None:
    """No permission opens the metadata range."""
    assert is_refused(address, allow_private=allow_private)


@given(inside("169.254.0.0/16"), st.sampled_from([0xFFFF << 32, 0x64FF9B << 96]))
def test_ipv6_disguises_of_link_local_are_refused(address: IPv4Address, prefix: int) -> None:
    """An IPv4-mapped or NAT64 form is judged by the IPv4 address inside it."""
    assert is_refused(IPv6Address(prefix | int(address)), allow_private=True)


@given(st.sampled_from(PRIVATE_BLOCKS).flatmap(lambda block: inside(str(block))))
def test_private_ranges_need_the_permission(address: IPv4Address) -> None:
    """Private addresses are refused, and allowed where an admin allows them."""
    assert is_refused(address, allow_private=False)
    assert not is_refused(address, allow_private=True)


@given(inside("169.254.0.0/16"))
async def test_numbers_in_any_notation_are_understood(address: IPv4Address) -> None:
    """Decimal and hexadecimal hosts are what the resolver would make of them."""
    for host in (str(int(address)), hex(int(address)), str(address), f"{address}."):
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

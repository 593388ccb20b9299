"""The wire: connections are used again, cookies are not, events wait for Redis."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from gateway.addresses import AddressRefused, never_metadata, only_public
from gateway.client import Gateway
from gateway.errors import AllTargetsFailed
from gateway.simulator.server import running_simulator
from tests.factories import make_scenario, make_sim_provider
from tests.gateway.upstream import Received, Wire, answers, ask, chat, make_target, upstream


async def test_connections_are_used_again(gateway: Gateway) -> None:
    """Ten calls in a row, plain and streamed, over one connection."""
    provider = make_sim_provider()
    async with running_simulator(make_scenario(provider)) as url:
        connections = 0

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            port = int(url.rpartition(":")[2])
            there = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = make_target(
            f"http://127.0.0.1:{port}/{provider.slug}/v1", provider.models[0].id, auth="none"
        )
        for _ in range(5):
            await gateway.complete(ask(), [target])
            assert [item async for item in gateway.stream(ask(), [target])]
        server.close()
    assert connections == 1


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def test_cookies_do_not_travel(gateway: Gateway) -> None:
    """A host that serves many accounts must not see one's cookie with another's key."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, chat(), {"Set-Cookie": "account=one; Path=/"})

    async with upstream(script) as provider:
        await gateway.complete(ask(), [provider.target()])
        provider.script = answers
        await gateway.complete(ask(), [provider.target()])
    assert "cookie" not in provider.received[1].headers


async def test_a_tls_host_is_told_which_http_follows(gateway: Gateway) -> None:
    """Else some hosts begin with HTTP/2, which is no answer to us."""
    hello = b""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hello
        hello = await reader.read(4_000)
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(AllTargetsFailed):
        await gateway.complete(ask(), [make_target(f"https://127.0.0.1:{port}/v1")])
    server.close()
    assert b"\x08http/1.1" in hello


@pytest.mark.parametrize(
    ("address", "is_public", "is_private"),
    [
        ("93.184.216.34", True, True),
        ("2606:4700::1111", True, True),
        ("127.0.0.1", False, True),
        ("10.1.2.3", False, True),
        ("192.168.1.1", False, True),
        ("fd12::1", False, True),
        ("::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::a00:1", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),  # noqa: S104 - refused
        ("224.0.0.1", False, False),
    ],
)
def test_addresses(address: str, is_public: bool, is_private: bool) -> None:
    """Public ones always, private ones where allowed, metadata never, however it is wrapped."""
    parsed = ipaddress.ip_address(address)
    for check, passes in ((only_public, is_public), (never_metadata, is_private)):
        if passes:
            check(parsed)
        else:
            with pytest.raises(AddressRefused):
                check(parsed)

"""Answers that would harm a credulous client: endless, bloated, misdirected, mislabelled."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import zlib
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, GatewayError
from gateway.policy import StaticPolicy, TimeoutPolicy
from gateway.types import ChatRequest, Chunk, Completion, LimitHeader, Outcome, parse_limits
from tests.gateway.conftest import QUICK
from tests.gateway.test_calls import items_of
from tests.gateway.upstream import (
    Received,
    Script,
    Wire,
    answers,
    ask,
    chat,
    event,
    make_target,
    refuses,
    upstream,
)

_EVENTS = {"Content-Type": "text/event-stream"}
_DONE = event(finish_reason="stop") + b"data: [DONE]\n\n"


async def asked(gateway: Gateway, script: Script, *, stream: bool) -> tuple[str, Outcome, str]:
    """The text that came, how the provider's part in it ended, and why."""
    text, async_error = "", None
    async with upstream(script) as provider:
        try:
            if stream:
                async for item in gateway.stream(ask(), [provider.target()]):
                    text += item.text if isinstance(item, Chunk) else ""
            else:
                text = (await gateway.complete(ask(), [provider.target()])).text
        except GatewayError as error:
            async_error = error
    if async_error is None:
        return text, Outcome.ANSWERED, ""
    if isinstance(async_error, AllTargetsFailed):  # a throttled one waited in vain for its quota
        last = [one for one in async_error.attempts if one.was_sent][-1]
        return text, last.outcome, last.detail
    return text, async_error.outcome, async_error.message


# --- too much ------------------------------------------------------------------------------------


async def forever(wire: Wire, piece: bytes) -> None:
    """Until the client hangs up."""
    with suppress(ConnectionError):
        while True:
            await wire.send(piece)
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "piece",
    [event("more "), b": busy\n\n" * 99, b"\n" * 5000, event() * 9],
    ids=["text", "comments", "blank lines", "no text"],
)
async def test_a_stream_without_end_is_bounded_in_bytes(redis_url: str, piece: bytes) -> None:
    """Whether it says something or nothing."""
    times = TimeoutPolicy(first_token_s=60, stall_s=60, max_reply_bytes=200_000)
    policy = StaticPolicy(replace(QUICK, timeouts=times))

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("One "))
        await forever(wire, piece)

    async with Gateway.open(redis_url, policy=policy) as gateway:
        text, outcome, why = await asked(gateway, script, stream=True)
    assert text.startswith("One ")
    assert len(text) < 200_000
    assert outcome is Outcome.CUT
    assert "longer than 0.2 MB" in why


async def test_a_stream_without_end_is_bounded_in_time(gateway: Gateway) -> None:
    """A token now and then never stalls: the call's deadline ends it."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        with suppress(ConnectionError):
            while True:
                await wire.send(event("x"))
                await asyncio.sleep(0.05)

    async with upstream(script) as provider:
        request = ChatRequest(ask().messages, deadline_s=0.6)
        with pytest.raises(GatewayError, match="time ended"):
            await items_of(gateway, request, provider.target())


async def test_a_wait_is_told_in_full(gateway: Gateway) -> None:
    """Comments come all the while, the next token does not."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("One"))
        with suppress(ConnectionError):
            while True:
                await wire.send(b": busy\n\n")
                await asyncio.sleep(0.01)

    _, outcome, why = await asked(gateway, script, stream=True)
    assert outcome is Outcome.CUT
    waited = re.search(r"Waited ([\d.]+) s for the next token", why)
    assert waited
    assert float(waited[1]) >= 0.29


@pytest.mark.parametrize("is_list", [False, True])
async def test_a_whole_answer_that_trickles_is_told_in_full(
    gateway: Gateway, is_list: bool
) -> None:
    """Its head came late and its body comes slowly: both were waited for, within one time."""

    async def script(wire: Wire, _: Received) -> None:
        await asyncio.sleep(0.5)
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                await wire.send(b" ")
                await asyncio.sleep(0.05)

    async with upstream(script) as provider:
        url, call = provider.target().base_url, ask(deadline_s=20)
        asked: Awaitable[object] = (
            gateway.get(url, within_s=1.0, max_bytes=9_999, allows_private_address=True)
            if is_list
            else gateway.complete(call, [provider.target()])
        )
        with pytest.raises(GatewayError) as caught:
            await asked
    waited = re.search(r"Waited ([\d.]+) s for the whole answer", str(caught.value))
    assert waited
    assert 0.9 <= float(waited[1]) < (1.4 if is_list else 2.9)


async def test_what_follows_the_end_is_not_waited_for(gateway: Gateway) -> None:
    """The answer is complete; a host that goes on with comments does not hold it up."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("One") + event(finish_reason="stop"))
        with suppress(ConnectionError):
            while True:
                await wire.send(b": still here\n\n")
                await asyncio.sleep(0.1)

    async with upstream(script) as provider, asyncio.timeout(20):
        items = await items_of(gateway, ask(), provider.target())
    assert isinstance(items[-1], Completion)
    assert items[-1].text == "One"
    assert items[-1].usage.is_estimated


async def test_a_refusal_that_trickles_is_not_waited_for(gateway: Gateway) -> None:
    """The status says enough; its reason may not come a byte at a time for ever."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.send(b"HTTP/1.1 400 No\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                await wire.send(b"x")
                await asyncio.sleep(0.1)

    async with asyncio.timeout(30):
        _, outcome, why = await asked(gateway, script, stream=False)
    assert (outcome, why[:12]) == (Outcome.INVALID_REQUEST, "Answered 400")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_line_of_ten_megabytes(redis_url: str, stream: bool) -> None:
    """Bounded by the longest line where the answer's own bound would let it pass."""
    line = b"data: " + b"x" * 10_000_000

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, line, _EVENTS)

    wide = replace(QUICK, timeouts=TimeoutPolicy(max_reply_bytes=64_000_000))
    async with Gateway.open(redis_url, policy=StaticPolicy(wide)) as gateway:
        _, outcome, _ = await asked(gateway, script, stream=stream)
    assert outcome is Outcome.MALFORMED


def bomb(codings: int) -> bytes:
    """20 MB of spaces, packed so often."""
    data = b" " * 20_000_000
    for _ in range(codings):
        data = gzip.compress(data)
    return data


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", bomb(1)),
        ("deflate", zlib.compress(b" " * 20_000_000)),
        ("gzip, gzip", bomb(2)),
        ("gzip,gzip,gzip", bomb(3)),
        ("gzip", gzip.compress(chat())[:40]),
        ("br", b"\x00\x01"),
        ("gzip", b"no gzip at all"),
    ],
    ids=["gzip", "deflate", "twice", "thrice", "half", "never offered", "none"],
)
async def test_packed_answers(gateway: Gateway, coding: str, data: bytes, stream: bool) -> None:
    """What unpacks to too much, or not at all, is no answer."""

    async def script(wire: Wire, _: Received) -> None:
        kind = _EVENTS if stream else {}
        await wire.reply(200, data, {**kind, "Content-Encoding": coding})

    _, outcome, _ = await asked(gateway, script, stream=stream)
    assert outcome in (Outcome.MALFORMED, Outcome.CUT)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_head_without_end(gateway: Gateway, stream: bool) -> None:
    """A header of a megabyte is no proper HTTP."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1_000_000 + b"\r\n\r\n")

    _, outcome, _ = await asked(gateway, script, stream=stream)
    assert outcome is Outcome.MALFORMED


# --- elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_key_follows_a_redirect(gateway: Gateway, status: int, stream: bool) -> None:
    """Neither to another port nor to another path of the same host."""
    async with upstream(answers) as elsewhere:
        for location in (f"http://127.0.0.1:{elsewhere.port}/v1", "/other"):
            script = refuses(status, {}, {"Location": location})
            _, outcome, why = await asked(gateway, script, stream=stream)
            assert outcome is Outcome.MALFORMED
            assert "redirects" in why
        assert elsewhere.connections == 0


# --- mislabelled and broken ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/json", ""])
async def test_a_whole_answer_to_the_wish_for_a_stream(gateway: Gateway, kind: str) -> None:
    """Some hosts stream nothing; what they call it does not matter."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, b"\n" + chat("Hello."), {"Content-Type": kind})

    assert await asked(gateway, script, stream=True) == ("Hello.", Outcome.ANSWERED, "")


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "application/json", ""])
async def test_a_stream_by_another_name(gateway: Gateway, kind: str) -> None:
    """It is read as what it is."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream({"Content-Type": kind})
        await wire.send(event("Hel"))
        await wire.send(event("lo.") + _DONE)

    assert await asked(gateway, script, stream=True) == ("Hello.", Outcome.ANSWERED, "")


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b'data: {"error": {"message": "full", "code": 503}}\n\n', Outcome.UNAVAILABLE),
        (b'event: error\ndata: {"error": {"message": "slow down", "code": 429}}\n\n',
         Outcome.THROTTLED),
        (b'{"error": {"message": "no", "code": 401}}', Outcome.AUTH_REJECTED),
        (b"data: {not json}\n\n", Outcome.MALFORMED),
        (b"data: [1, 2]\n\n", Outcome.MALFORMED),
        (b"data: " + b"[" * 10_000 + b"\n\n", Outcome.MALFORMED),
        (b"<html>Sign in</html>", Outcome.CUT),
        (b"", Outcome.CUT),
        (b"data: [DONE]\n\n", Outcome.MALFORMED),
        (event(finish_reason="stop"), Outcome.MALFORMED),
        (event(" ")[:-20], Outcome.MALFORMED),
    ],
)  # fmt: skip
async def test_streams_that_are_none(gateway: Gateway, body: bytes, outcome: Outcome) -> None:
    """Errors dressed as answers, no JSON, nothing at all: each by its own name."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, body, _EVENTS)

    assert (await asked(gateway, script, stream=True))[:2] == ("", outcome)


async def test_an_answer_of_nothing_goes_to_the_next_target(gateway: Gateway) -> None:
    """A stop without a word is malformed; so is a stream of it."""

    async def script(wire: Wire, request: Received) -> None:
        if request.json.get("stream"):
            await wire.reply(200, event() + _DONE, _EVENTS)
        else:
            await wire.reply(200, chat(""))

    async with upstream(script) as empty, upstream(answers) as good:
        targets = (empty.target("a"), good.target("b"))
        whole = await gateway.complete(ask(), targets)
        *_, streamed = await items_of(gateway, ask(), *targets)
    assert isinstance(streamed, Completion)
    for one in (whole, streamed):
        assert (one.text, one.model) == ("Hello.", "b")
        assert one.attempts[0].outcome is Outcome.MALFORMED
        assert "empty" in one.attempts[0].detail


async def test_an_answer_cut_before_its_first_word(gateway: Gateway) -> None:
    """Where the caller's own bound leaves no room, nothing is what was asked for."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.reply(200, chat("", finish_reason="length"))

    assert await asked(gateway, script, stream=False) == ("", Outcome.ANSWERED, "")


async def test_a_chunk_that_breaks_off(gateway: Gateway) -> None:
    """The connection ends within a chunk: cut after the first word, unavailable before it."""

    def breaking(said: bytes) -> Script:
        async def script(wire: Wire, _: Received) -> None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            await wire.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
            if said:
                await wire.send(b"%x\r\n%s\r\n" % (len(said), said))
            await wire.send(b"40\r\ndata: {")

        return script

    assert (await asked(gateway, breaking(b""), stream=True))[1] is Outcome.UNAVAILABLE
    text, outcome, _ = await asked(gateway, breaking(event("One")), stream=True)
    assert (text, outcome) == ("One", Outcome.CUT)


@pytest.mark.parametrize(
    "number", ["nan", "inf", "-1", "1e400", "9" * 400, "soon", "", "0x10", "\xb2", "1,000"]
)
async def test_headers_with_nonsense_numbers(gateway: Gateway, number: str) -> None:
    """They say nothing: answers are answers, refusals refusals, quotas stay as they are."""
    names = ("X-Limit", "X-Left", "X-Reset", "Retry-After", "Retry-After-Ms", "Date")
    nonsense = dict.fromkeys(names, number)
    headers = (
        LimitHeader("X-Limit", "limit requests/minute", "integer"),
        LimitHeader("X-Left", "remaining requests/minute", "integer"),
        LimitHeader("X-Reset", "reset requests/minute", "duration"),
    )

    async def script(wire: Wire, _: Received) -> None:
        body = f"HTTP/1.1 {status} x\r\nContent-Length: {len(chat())}\r\nConnection: close\r\n"
        fields = "".join(f"{name}: {value}\r\n" for name, value in nonsense.items())
        await wire.send((body + fields + "\r\n").encode("latin-1") + chat())

    async with upstream(script) as provider:
        target = provider.target(limits=parse_limits({"rpm": 5}), limit_headers=headers)
        status = 200
        assert (await gateway.complete(ask(), [target])).text == "Hello."
        await gateway.drain()
        assert (await gateway.levels([target]))[target].limits[0].left == 4
        status = 429
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [target])
    assert caught.value.attempts[0].outcome is Outcome.THROTTLED


# --- IPv6 ----------------------------------------------------------------------------------------


def has_ipv6() -> bool:
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["[::1]", "[0:0:0:0:0:0:0:1]"])
async def test_a_host_at_an_ipv6_address(gateway: Gateway, host: str) -> None:
    """In brackets, as URLs have it."""
    async with upstream(answers) as provider:
        server = await asyncio.start_server(provider.handle, "::1", 0)
        port = server.sockets[0].getsockname()[1]
        target = make_target(f"http://{host}:{port}/v1")
        assert (await gateway.complete(ask(), [target])).text == "Hello."
        with pytest.raises(AllTargetsFailed, match="private address"):
            await gateway.complete(ask(), [replace(target, allows_private_address=False)])
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "base_url",
    [
        "http://[::1/v1",
        "http://::1:80/v1",
        "http://[::1]]/v1",
        "http://[gggg::1]/v1",
        "http://[fe80::1%25lo]/v1",
        "http://[fe80::1]/v1",
        "http://[::]/v1",
        "http://[ff02::1]/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[64:ff9b::169.254.169.254]/v1",
    ],
)
async def test_ipv6_addresses_that_lead_nowhere_good(gateway: Gateway, base_url: str) -> None:
    """Broken, link-local, multicast, or metadata in disguise: said before anything is sent."""
    with pytest.raises(AllTargetsFailed) as caught:
        await gateway.complete(ask(), [make_target(base_url)])
    assert caught.value.attempts[-1].outcome is Outcome.NOT_CONFIGURED
    assert not caught.value.attempts[-1].was_sent

"""Everything a provider can do wrong, over real sockets."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from gateway.client import Gateway
from gateway.errors import AllTargetsFailed, GatewayError
from gateway.types import Completion, Outcome
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

_BOMB = gzip.compress(b" " * 5_000_000)


async def hang(wire: Wire, _: Received) -> None:
    await wire.gone()


async def reset(wire: Wire, _: Received) -> None:
    wire.reset()


async def web_page(wire: Wire, _: Received) -> None:
    await wire.reply(200, b"<html><h1>Welcome</h1></html>", {"Content-Type": "text/html"})


async def half_json(wire: Wire, _: Received) -> None:
    await wire.reply(200, chat()[:30])


async def other_json(wire: Wire, _: Received) -> None:
    await wire.reply(200, b"[1, 2]")


async def no_choices(wire: Wire, _: Received) -> None:
    await wire.reply(200, b'{"choices": []}')


async def error_inside(wire: Wire, _: Received) -> None:
    await wire.reply(200, b'{"error": {"code": 503, "message": "overloaded"}}')


async def truncated_body(wire: Wire, _: Received) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + chat())


async def truncated_chunked(wire: Wire, _: Received) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + chat()[:16])


async def no_http(wire: Wire, _: Received) -> None:
    await wire.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def far_too_long(wire: Wire, _: Received) -> None:
    await wire.reply(200, b" " * 10_000_000)


async def gzip_bomb(wire: Wire, _: Received) -> None:
    await wire.reply(200, _BOMB, {"Content-Encoding": "gzip"})


async def broken_gzip(wire: Wire, _: Received) -> None:
    await wire.reply(200, b"this is not gzip", {"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (hang, Outcome.TIMEOUT),
        (reset, Outcome.UNAVAILABLE),
        (truncated_body, Outcome.UNAVAILABLE),
        (truncated_chunked, Outcome.UNAVAILABLE),
        (web_page, Outcome.MALFORMED),
        (half_json, Outcome.MALFORMED),
        (other_json, Outcome.MALFORMED),
        (no_choices, Outcome.MALFORMED),
        (no_http, Outcome.MALFORMED),
        (far_too_long, Outcome.MALFORMED),
        (gzip_bomb, Outcome.MALFORMED),
        (broken_gzip, Outcome.MALFORMED),
        (error_inside, Outcome.UNAVAILABLE),
        (refuses(500), Outcome.UNAVAILABLE),
        (refuses(503), Outcome.UNAVAILABLE),
        (refuses(401), Outcome.AUTH_REJECTED),
        (refuses(403), Outcome.FORBIDDEN),
        (refuses(404), Outcome.MODEL_GONE),
        (refuses(413), Outcome.CONTEXT_TOO_LONG),
        (refuses(429), Outcome.THROTTLED),
        (refuses(402), Outcome.QUOTA_EXHAUSTED),
        (refuses(418), Outcome.INVALID_REQUEST),
    ],
)
async def test_a_plain_call_that_fails(gateway: Gateway, script: Script, outcome: Outcome) -> None:
    """Each fault gets its own name and a sentence; a quota that rests may be waited for in vain."""
    async with upstream(script) as provider:
        with pytest.raises(GatewayError, match=r"\w") as caught:
            await gateway.complete(ask(), [provider.target()])
    trail = getattr(caught.value, "attempts", ())
    assert outcome in {caught.value.outcome, *(one.outcome for one in trail)}


async def test_nobody_listens(gateway: Gateway) -> None:
    """Connection refused: not reached, so nothing was used up."""
    async with upstream(answers) as provider:
        target = provider.target()
    with pytest.raises(AllTargetsFailed, match="No connection could be made") as caught:
        await gateway.complete(ask(), [target])
    assert caught.value.attempts[-1].outcome is Outcome.UNAVAILABLE


async def test_a_redirect_is_not_followed(gateway: Gateway) -> None:
    """The key goes to nobody else."""
    async with upstream(answers) as elsewhere:
        location = {"Location": elsewhere.target().base_url}
        async with upstream(refuses(307, {}, location)) as provider:
            with pytest.raises(AllTargetsFailed, match="redirects"):
                await gateway.complete(ask(), [provider.target()])
        assert elsewhere.received == []


async def test_a_stream_that_stalls_between_tokens(gateway: Gateway) -> None:
    """The first token came, the next one does not: cut, after the stall time."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        await wire.send(event("One"))
        await wire.gone()

    async with upstream(script) as provider:
        with pytest.raises(Exception, match="for the next token"):
            await items_of(gateway, ask(), provider.target())


async def test_comments_do_not_count_as_tokens(gateway: Gateway) -> None:
    """A provider that only says it is busy runs into the first-token time."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        while True:
            await wire.send(b": OPENROUTER PROCESSING\n\n")
            await asyncio.sleep(0.02)

    async with upstream(script) as busy, upstream(answers) as ready:
        items = await items_of(gateway, ask(), busy.target("a"), ready.target("b"))
    assert isinstance(items[-1], Completion)
    assert items[-1].attempts[0].outcome is Outcome.TIMEOUT


async def test_an_endless_line_is_cut_off(gateway: Gateway) -> None:
    """A stream that never ends its line is malformed, long before memory is."""

    async def script(wire: Wire, _: Received) -> None:
        await wire.start_stream()
        for _chunk in range(1000):
            await wire.send(b"x" * 10_000)

    async with upstream(script) as provider:
        with pytest.raises(AllTargetsFailed, match="longer than"):
            await items_of(gateway, ask(), provider.target())


async def test_a_web_page_as_a_stream(gateway: Gateway) -> None:
    """A 200 with HTML is no answer."""
    async with upstream(web_page) as provider:
        with pytest.raises(AllTargetsFailed, match="a web page"):
            await items_of(gateway, ask(), provider.target())


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/v1",
        "http://[fd00:ec2::254]/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://0.0.0.0/v1",
        "http://2852039166/v1",  # 169.254.169.254 as one number
    ],
)
async def test_metadata_addresses_are_never_called(gateway: Gateway, address: str) -> None:
    """Not even where private addresses are allowed, and in no spelling."""
    with pytest.raises(AllTargetsFailed) as caught:
        await gateway.complete(ask(), [make_target(address)])
    assert caught.value.attempts[-1].outcome is Outcome.NOT_CONFIGURED


async def test_a_name_that_leads_to_a_private_address_is_refused(gateway: Gateway) -> None:
    """Checked when connecting, so that a name may not change its mind after it was accepted."""
    async with upstream(answers) as provider:
        base_url = f"http://localhost:{provider.port}/v1"
        with pytest.raises(AllTargetsFailed, match="private address"):
            await gateway.complete(ask(), [make_target(base_url, allows_private_address=False)])
        assert provider.received == []
        completion = await gateway.complete(ask(), [make_target(base_url)])
    assert completion.text == "Hello."


@pytest.mark.parametrize(
    "address", ["", "no url", "ftp://host/", "http://", "http://a b/", "http://{HOST}/v1"]
)
async def test_an_unusable_address(gateway: Gateway, address: str) -> None:
    """A clear word, no crash."""
    with pytest.raises(AllTargetsFailed) as caught:
        await gateway.complete(ask(), [make_target(address)])
    assert caught.value.attempts[-1].outcome in (Outcome.NOT_CONFIGURED, Outcome.UNAVAILABLE)


@pytest.mark.parametrize("key", ["with\nnewline", "schlüssel", None, ""])
async def test_an_unusable_key(gateway: Gateway, key: str | None) -> None:
    """It is said before anything is sent."""
    async with upstream(answers) as provider:
        with pytest.raises(AllTargetsFailed) as caught:
            await gateway.complete(ask(), [provider.target(key=key)])
    assert caught.value.attempts[-1].outcome is Outcome.NOT_CONFIGURED
    assert provider.received == []

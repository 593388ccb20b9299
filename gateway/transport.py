"""The wire: one httpx transport per event loop, explicit timeouts, bounded answers.

What httpx's client adds to its transport is to follow redirects, keep cookies and read passwords
from the environment: three ways in which one account's key or cookie could travel where it must
not. So the transport is used without the client (docs/decisions/0012-transport.md).
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from gateway.addresses import (
    AddressCheck,
    AddressRefused,
    CheckedResolver,
    IPAddress,
    check_literal,
    never_metadata,
    only_public,
)
from gateway.errors import (
    GatewayError,
    MalformedReply,
    NotConfigured,
    ProviderTimeout,
    ProviderUnavailable,
)
from gateway.policy import TimeoutPolicy

# Some providers refuse calls without a user agent, and some the default ones of libraries.
USER_AGENT = "FreeLLM/0.1 (self-hosted gateway)"
_PACKINGS = ("gzip", "deflate")
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": ", ".join(_PACKINGS)}
_MAX_CONNECTIONS = 1000  # the dispatcher bounds concurrency; this bounds sockets
_IDLE_S = 20.0  # below the usual 30 to 60 s after which servers drop idle connections


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request as it goes out. `headers` may hold a key: never log or show it.

    `dropped` names parameters that were asked for and left out.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    method: str = "POST"
    dropped: tuple[str, ...] = ()


class Incoming:
    """An answer whose head is there; the body is read piece by piece, each with a timeout."""

    def __init__(self, response: httpx.Response, max_bytes: int, began: float) -> None:
        self._began = began  # to wait for it, by the loop's clock
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers  # names match in any case
        self._pieces = response.aiter_bytes()
        self._put_back = b""
        self._left = max_bytes
        self._max_bytes = max_bytes

    async def read(self, within_s: float, waiting_for: str) -> bytes:
        """The next bytes, b"" at the end; raises ProviderTimeout, -Unavailable, MalformedReply."""
        if self._put_back:
            piece, self._put_back = self._put_back, b""
            return piece
        with _translated(loop_now(), waiting_for):
            async with asyncio.timeout(within_s):
                return self._counted(await anext(self._pieces, b""))

    def put_back(self, piece: bytes) -> None:
        """Let the next `read` give what was only looked at."""
        self._put_back = piece

    async def read_all(self, within_s: float, waiting_for: str) -> bytes:
        """The rest of the body, within one time for all of it; its head was waited for, too."""
        pieces, self._put_back = [self._put_back], b""
        with _translated(self._began, waiting_for):
            async with asyncio.timeout(within_s):
                pieces += [self._counted(piece) async for piece in self._pieces]
        return b"".join(pieces)

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise MalformedReply(
                f"The answer is longer than {self._max_bytes / 1e6:.3g} MB.", status=self.status
            )
        return piece


class Transport:
    """Opened once per event loop. Redirects are answers here: a key never follows one.

    There are two pools, because what may be reached differs by target: one for public addresses
    only, one that also reaches private ones (own endpoints, the simulator).
    """

    def __init__(self, check_address: AddressCheck | None = None) -> None:
        self._checks = {True: _both(never_metadata, check_address)}
        self._checks[False] = _both(only_public, check_address)
        self._pools = {key: _new_pool(check) for key, check in self._checks.items()}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    @asynccontextmanager
    async def exchange(
        self,
        outgoing: OutgoingRequest,
        timeouts: TimeoutPolicy,
        *,
        head_within_s: float,
        allows_private: bool = False,
        max_bytes: int | None = None,
    ) -> AsyncIterator[Incoming]:
        """Send and give the answer once its head is there. Leaving early drops the connection."""
        began = loop_now()
        with _translated(began, "the first sign of an answer"):
            request = _built(outgoing, timeouts, head_within_s)
            check_literal(request.url.host, self._checks[allows_private])
            async with asyncio.timeout(head_within_s):
                response = await self._pools[allows_private].handle_async_request(request)
        try:
            _check_packing(response)
            yield Incoming(response, max_bytes or timeouts.max_reply_bytes, began)
        finally:
            with suppress(httpx.HTTPError, aiohttp.ClientError, OSError):
                await response.aclose()


def _built(outgoing: OutgoingRequest, timeouts: TimeoutPolicy, read_s: float) -> httpx.Request:
    bounds = {
        "connect": timeouts.connect_s,
        # The exact bounds are set around each read; this one is the safety net.
        "read": max(read_s, timeouts.stall_s) + 1,
        "write": timeouts.write_s,
        "pool": timeouts.pool_s,
    }
    return httpx.Request(
        outgoing.method,
        _parsed(outgoing.url),
        headers={**_HEADERS, **outgoing.headers},
        content=outgoing.body,
        extensions={"timeout": bounds},
    )


@functools.lru_cache(maxsize=1_000)
def _parsed(url: str) -> httpx.URL:
    """The same few in every call; raises httpx.InvalidURL."""
    return httpx.URL(url)


def _check_packing(response: httpx.Response) -> None:
    """One packing, and one that was offered: each layer multiplies by a thousand at worst."""
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity", *_PACKINGS):
        raise MalformedReply(
            "The answer is packed in a way that was not offered.", status=response.status_code
        )


def _both(first: AddressCheck, second: AddressCheck | None) -> AddressCheck:
    if second is None:
        return first

    def check(address: IPAddress) -> None:
        first(address)
        second(address)

    return check


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: to read all the trusted certificates takes a quarter of a second."""
    context = httpx.create_ssl_context()
    # aiohttp speaks nothing newer; hosts that are not told so may begin with HTTP/2.
    context.set_alpn_protocols(["http/1.1"])
    return context


def _new_pool(check: AddressCheck) -> httpx.AsyncBaseTransport:
    """Connections of aiohttp: a quarter of the CPU of httpx's own transport (measured)."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(check),
            ssl=_tls(),
            limit=_MAX_CONNECTIONS,
            keepalive_timeout=_IDLE_S,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    # One host serves many accounts: a cookie of one must not travel with the key of another.
    return AiohttpTransport(verify=_tls(), client=session)


@contextmanager
def _translated(began: float, waiting_for: str) -> Iterator[None]:
    """Turn what the libraries raise into the engine's own errors."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError) as error:
        waited = f"Waited {loop_now() - began:.2g} s for {waiting_for}."
        raise _translate(error, waited) from error


def loop_now() -> float:
    return asyncio.get_running_loop().time()


def _translate(error: BaseException, waited: str) -> GatewayError:  # noqa: C901, PLR0911 - a table
    """Outermost first. The httpx error is passed by: every lost connection is a timeout to it."""
    for cause in _causes(error):
        match cause:
            case AddressRefused():
                return NotConfigured(str(cause))
            case aiohttp.ClientConnectorDNSError() if isinstance(cause.os_error, AddressRefused):
                return NotConfigured(str(cause.os_error))
            case aiohttp.ConnectionTimeoutError():
                return ProviderTimeout("No connection was made in time.", was_reached=False)
            case TimeoutError():
                return ProviderTimeout(waited)
            case aiohttp.ClientConnectorDNSError():
                return ProviderUnavailable("The host name was not found.", was_reached=False)
            case aiohttp.ClientSSLError():
                return ProviderUnavailable(
                    "No trusted TLS connection could be made.", was_reached=False
                )
            case aiohttp.ClientConnectorError():
                return ProviderUnavailable("No connection could be made.", was_reached=False)
            case aiohttp.ClientResponseError() | httpx.DecodingError():
                return MalformedReply("The answer is not proper HTTP.")
            case httpx.InvalidURL() | httpx.UnsupportedProtocol() | aiohttp.InvalidURL():
                return NotConfigured("The address is not a usable URL.")
    return ProviderUnavailable("The connection was lost before the answer was complete.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__

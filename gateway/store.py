"""The engine's way to Redis: what is asked at the same moment travels in one round trip.

One task talks to Redis over one connection. So a caller who leaves cannot break the protocol off
half-way, nor lose its cancellation in the client library while that connects; what was asked is
sent whoever still waits for it, and in the order in which it was asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Self

from hiredis import pack_command
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

logger = logging.getLogger(__name__)

Command = tuple[str | bytes | int | float, ...]

_SOCKET_TIMEOUT_S = 1.0
_LOOK_AGAIN_S = 0.25
_TOGETHER = 500  # commands in one trip: far more would hold up Redis for others
_AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    OSError,
)
_AWAY_IN_SCRIPTS = ("-OOM ", "-READONLY ", "-MISCONF ", "-LOADING ")


class StoreAwayError(Exception):
    """Redis does not answer; the caller does what it does without."""


class Script:
    """Lua files of this package in the order in which they build on one another."""

    def __init__(self, *paths: str) -> None:
        self.text = "\n".join(files("gateway").joinpath(path).read_text() for path in paths)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class _Question:
    commands: Sequence[Command]
    replies: asyncio.Future[Any]
    script: Script | None = None  # its single command runs this; the reply is that command's

    def in_full(self) -> _Question:
        """With the script's text, for a Redis that does not know it by its digest."""
        text = self.script.text if self.script else ""
        return _Question((("EVAL", text, *self.commands[0][2:]),), self.replies, self.script)


class Store:
    """Redis, or its absence. While it is away nothing tries it but one watcher, so no call waits.

    `None` as the URL is an engine that never has one: degraded from the start, by choice.
    """

    def __init__(self, url: str | None) -> None:
        self.round_trips = 0
        self._connection = None if url is None else _connection(url)
        self._is_away = url is None
        self._is_closed = False
        self._line = asyncio.Lock()  # between the sender and the watcher
        self._questions: deque[_Question] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._on_return: list[Callable[[], Awaitable[None]]] = []

    @property
    def is_degraded(self) -> bool:
        return self._is_away

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_closed = True
        if self._watcher is not None:
            self._watcher.cancel()
        tasks = [task for task in (self._sender, self._watcher) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connection is not None:
            await _hang_up(self._connection)

    def when_back(self, action: Callable[[], Awaitable[None]]) -> None:
        """Call `action` each time Redis answers again."""
        self._on_return.append(action)

    def run(
        self, script: Script, keys: Sequence[str], args: Sequence[str | float]
    ) -> asyncio.Future[Any]:
        """Run a script, loading it where Redis has lost it; its reply. As `ask` otherwise."""
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        return self._post(_Question((command,), _new_future(), script))

    def ask(self, *commands: Command) -> asyncio.Future[list[Any]]:
        """Commands to send together; their replies in order, or the first error among them.

        They are on their way when this returns: who does not need the replies need not wait.
        The future raises StoreAwayError when Redis does not answer.
        """
        return self._post(_Question(commands, _new_future()))

    async def drain(self) -> None:
        """Wait until everything asked so far is answered."""
        while self._sender is not None and not self._sender.done():
            await asyncio.wait([self._sender])

    def _post(self, question: _Question) -> asyncio.Future[Any]:
        if self._is_away or self._is_closed:
            _fail(question, StoreAwayError())
            return question.replies
        self._questions.append(question)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all(), name="redis-sender")
        return question.replies

    async def _send_all(self) -> None:
        """Whatever is asked while a trip is under way goes together in the next one."""
        await asyncio.sleep(0)  # what this turn of the loop has begun may have something to ask
        while self._questions:
            together: list[_Question] = []
            number = 0
            while self._questions and (not together or number < _TOGETHER):
                together.append(self._questions.popleft())
                number += len(together[-1].commands)
            await self._send(together)

    async def _send(self, questions: Sequence[_Question]) -> None:
        try:
            replies = await self._exchange([c for one in questions for c in one.commands])
        except (RedisError, OSError) as error:
            self._went_away(error)
            for one in (*questions, *self._questions):
                _fail(one, StoreAwayError())
            self._questions.clear()
            return
        start = 0
        for one in questions:
            end = start + len(one.commands)
            self._answer(one, replies[start:end])
            start = end

    def _answer(self, question: _Question, replies: list[Any]) -> None:
        error = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if error is None:
            if not question.replies.done():
                question.replies.set_result(replies[0] if question.script else replies)
        elif isinstance(error, NoScriptError):
            self._questions.append(question.in_full())
        elif _is_away(error):
            self._went_away(error)
            _fail(question, StoreAwayError())
        else:
            _fail(question, error)

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """One round trip; a second one where the connection went stale while it was idle."""
        if self._connection is None:
            raise RedisConnectionError
        async with self._line:
            was_connected = self._connection.is_connected
            try:
                return await self._trip(self._connection, commands)
            except RedisConnectionError:
                if not was_connected:
                    raise
            return await self._trip(self._connection, commands)

    async def _trip(self, connection: AbstractConnection, commands: Sequence[Command]) -> list[Any]:
        try:
            if not connection.is_connected:
                connection.socket_timeout = _SOCKET_TIMEOUT_S
                await connection.connect()  # type: ignore[no-untyped-call]  # of redis-py
                connection.socket_timeout = None  # the trip has one timeout, not one per step
            self.round_trips += 1
            async with asyncio.timeout(_SOCKET_TIMEOUT_S):
                packed = [pack_command(c) for c in commands]  # type: ignore[arg-type]  # stub forgets dots
                await connection.send_packed_command(packed, check_health=False)
                return [await _reply(connection) for _ in commands]
        except BaseException:  # replies of this trip must not be taken for those of the next
            await _hang_up(connection)
            raise

    def _went_away(self, error: Exception) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("Redis is away (%s): each process limits itself.", type(error).__name__)
        if not self._is_closed and (self._watcher is None or self._watcher.done()):
            self._watcher = asyncio.create_task(self._watch(), name="redis-watcher")

    async def _watch(self) -> None:
        """Until it is back for good: it may go away again while the actions run."""
        while self._is_away and not self._is_closed:
            if not await self._answers():
                await asyncio.sleep(_LOOK_AGAIN_S)  # nothing tells us when it is back
                continue
            self._is_away = False
            logger.warning("Redis is back.")
            for action in self._on_return:
                await _done(action)

    async def _answers(self) -> bool:
        """Whether it takes writes; one that only answers a ping may be full or a replica."""
        try:
            replies = await self._exchange([("SET", "freellm:alive", "1", "EX", 60)])
        except (RedisError, OSError):
            return False
        return not isinstance(replies[0], Exception)


async def _done(action: Callable[[], Awaitable[None]]) -> None:
    """One action that fails must not keep the others, nor the watcher, from their work."""
    try:
        await action()
    except StoreAwayError:
        return
    except RedisError:
        logger.exception("What had waited for Redis was refused by it.")


async def _reply(connection: AbstractConnection) -> Any:
    """The next reply; a refusal is a reply like any other, a lost connection is none."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


async def _hang_up(connection: AbstractConnection) -> None:
    with suppress(RedisError, OSError):  # it may be away, or slow to say goodbye
        await connection.disconnect()


def _fail(question: _Question, error: Exception) -> None:
    if not question.replies.done():
        question.replies.set_exception(error)


def _new_future() -> asyncio.Future[Any]:
    replies: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    replies.add_done_callback(_hear)
    return replies


def _hear(replies: asyncio.Future[Any]) -> None:
    """Nobody may be waiting for the replies any more."""
    if not replies.cancelled():
        replies.exception()


def _is_away(error: Exception) -> bool:
    """Full or read-only is as good as away. A script reports these in the text of its own error."""
    if isinstance(error, _AWAY):
        return True
    return isinstance(error, ResponseError) and any(word in str(error) for word in _AWAY_IN_SCRIPTS)


def _connection(url: str) -> AbstractConnection:
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        socket_timeout=_SOCKET_TIMEOUT_S,
        socket_connect_timeout=_SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,  # plain replies, and servers older than Redis 6
    )
    made: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]  # likewise
    return made

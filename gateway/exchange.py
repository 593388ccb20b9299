"""One HTTP exchange with one target: a request out, pieces of an answer in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

from gateway.dialects import Dialect, Piece, StreamParser, dialect_for
from gateway.errors import (
    DeadlinePassed,
    GatewayError,
    MalformedReply,
    ProviderError,
    ProviderTimeout,
    StreamCut,
)
from gateway.estimate import estimate_prompt_tokens, estimate_tokens
from gateway.policy import TimeoutPolicy
from gateway.transport import Incoming, Transport
from gateway.types import ChatRequest, Target, Usage

_OK = range(200, 300)
_ERROR_BODY_S = 5.0
_AFTER_THE_END_S = 1.0
_LAST_BYTES_S = 0.02
_ERROR_BODY_BYTES = 100_000


@dataclass(slots=True)
class Answer:
    """What has come in so far."""

    text: list[str] = field(default_factory=list)
    finish_reason: str = ""
    usage: Usage | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def add(self, piece: Piece) -> None:
        self.text.append(piece.text)
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.usage = piece.usage or self.usage

    def final_usage(self, request: ChatRequest) -> Usage:
        """As reported, else estimated and marked so."""
        return self.usage or Usage(
            prompt_tokens=estimate_prompt_tokens(request.messages),
            completion_tokens=estimate_tokens("".join(self.text)),
            is_estimated=True,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """How the target is to be called, and the bounds in time that hold for it."""

    transport: Transport
    target: Target
    request: ChatRequest
    timeouts: TimeoutPolicy
    within_s: float  # what the call's deadline leaves

    async def pieces(self, answer: Answer, *, stream: bool) -> AsyncGenerator[Piece, None]:
        """The answer in pieces (one, unless streamed), each also noted in `answer`.

        Raises DeadlinePassed when the call's time ends first, else what went wrong.
        """
        until = _now() + self.within_s
        received = self._streamed(answer) if stream else self._whole(answer)
        try:
            async with aclosing(received):
                async for piece in received:
                    answer.add(piece)
                    yield piece
        except ProviderTimeout as error:
            if _now() >= until:
                raise DeadlinePassed("The call's time ended while the answer came.") from error
            raise
        except GatewayError as error:
            error.say(self._redacted(error.message))
            raise

    async def _whole(self, answer: Answer) -> AsyncGenerator[Piece, None]:
        dialect = dialect_for(self.target.dialect)
        until = _now() + min(self.timeouts.answer_s, self.within_s)
        async with self._sent(dialect, answer, until, stream=False) as incoming:
            body = await incoming.read_all(until - _now(), "the whole answer")
        reply = dialect.parse_response(body)
        yield Piece(reply.text, reply.finish_reason, reply.usage)

    async def _streamed(self, answer: Answer) -> AsyncGenerator[Piece, None]:
        dialect = dialect_for(self.target.dialect)
        deadline = _now() + self.within_s
        first_by = min(deadline, _now() + self.timeouts.first_token_s)
        parser = dialect.parse_stream()
        async with self._sent(dialect, answer, first_by, stream=True) as incoming:
            if _is(incoming, "text/html"):
                raise MalformedReply("The provider answered with a web page.", status=answer.status)
            if _is(incoming, "application/json"):  # some hosts ignore the wish for a stream
                body = await incoming.read_all(deadline - _now(), "the whole answer")
                reply = dialect.parse_response(body)
                yield Piece(reply.text, reply.finish_reason, reply.usage)
                return
            next_by, waiting_for = first_by, "the first token"
            data = b" "
            while data and not parser.is_over:
                data = await self._read(incoming, next_by, waiting_for, parser)
                pieces = parser.feed(data)
                for piece in pieces:
                    yield piece
                if any(piece.text or piece.is_sign_of_life for piece in pieces):
                    next_by, waiting_for = _now() + self.timeouts.stall_s, "the next token"
                next_by = min(next_by, deadline)
            if data:  # read to the end, so that the connection can be used again
                with suppress(ProviderError):
                    await incoming.read(_LAST_BYTES_S, "the end")
        if not parser.is_complete:
            raise StreamCut("The stream ended before the answer did.", status=answer.status)

    @staticmethod
    async def _read(
        incoming: Incoming, next_by: float, waiting_for: str, parser: StreamParser
    ) -> bytes:
        """After the answer's end only its usage is waited for, and not for long."""
        if not parser.is_complete:
            return await incoming.read(next_by - _now(), waiting_for)
        with suppress(ProviderError):
            return await incoming.read(_AFTER_THE_END_S, waiting_for)
        return b""

    @asynccontextmanager
    async def _sent(
        self, dialect: Dialect, answer: Answer, head_by: float, *, stream: bool
    ) -> AsyncIterator[Incoming]:
        """Send; give the answer where it is one, raise what it stands for where it is not."""
        outgoing = dialect.build_request(self.target, self.request, stream=stream)
        async with self.transport.exchange(
            outgoing,
            self.timeouts,
            head_within_s=head_by - _now(),
            allows_private=self.target.allows_private_address,
        ) as incoming:
            answer.status, answer.headers = incoming.status, incoming.headers
            if incoming.status not in _OK:
                body = await _error_body(incoming)
                raise dialect.classify_error(incoming.status, incoming.headers, body)
            yield incoming

    def _redacted(self, message: str) -> str:
        """Providers like to repeat the key they refuse."""
        key = self.target.key.reveal() if self.target.key else ""
        return message.replace(key, "…") if key else message


def _is(incoming: Incoming, media_type: str) -> bool:
    said = incoming.headers.get("content-type", "")
    return said.partition(";")[0].strip().lower() == media_type


async def _error_body(incoming: Incoming) -> bytes:
    """What can be had of it quickly: the status alone says enough."""
    body = b""
    with suppress(GatewayError):
        while len(body) < _ERROR_BODY_BYTES:
            piece = await incoming.read(_ERROR_BODY_S, "the reason of the refusal")
            if not piece:
                break
            body += piece
    return body


def _now() -> float:
    return asyncio.get_running_loop().time()

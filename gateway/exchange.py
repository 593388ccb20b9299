"""One HTTP exchange with one target: a request out, pieces of an answer in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from gateway.dialects import Dialect, Piece, StreamParser, dialect_for
from gateway.dialects.tool_calls import joined
from gateway.errors import (
    ContentBlocked,
    DeadlinePassed,
    GatewayError,
    MalformedReply,
    ProviderError,
    ProviderTimeout,
    StreamCut,
)
from gateway.estimate import estimate_call_tokens, estimate_request_tokens, estimate_tokens
from gateway.policy import TimeoutPolicy
from gateway.transport import Incoming, Transport
from gateway.types import ChatRequest, Target, ToolCall, ToolCallDelta, Usage

_OK = range(200, 300)
_ERROR_BODY_S = 2.0
_AFTER_THE_END_S = 1.0
_LAST_BYTES_S = 0.02
_ERROR_BODY_BYTES = 100_000


@dataclass(slots=True)
class Answer:
    """What has come in so far."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_call_deltas: list[ToolCallDelta] = field(default_factory=list)
    finish_reason: str = ""
    usage: Usage | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    head_after_s: float | None = None  # from sending to the head of the response
    dropped: tuple[str, ...] = ()

    def add(self, piece: Piece) -> None:
        if piece.text:
            self.text.append(piece.text)
        if piece.reasoning:
            self.reasoning.append(piece.reasoning)
        self.tool_call_deltas += piece.tool_calls
        self.finish_reason = piece.finish_reason or self.finish_reason
        self.usage = piece.usage or self.usage
        if self.tool_call_deltas and self.finish_reason == "stop":
            self.finish_reason = "tool_calls"  # as OpenAI says it; some hosts do not

    @property
    def has_content(self) -> bool:
        return bool(self.text or self.reasoning or self.tool_call_deltas)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return joined(self.tool_call_deltas)

    def final_usage(self, request: ChatRequest) -> Usage:
        """As reported, else estimated and marked so."""
        if self.usage is not None:
            return self.usage
        said = "".join(self.reasoning) + "".join(self.text)
        return Usage(
            prompt_tokens=estimate_request_tokens(request),
            completion_tokens=estimate_tokens(said) + estimate_call_tokens(self.tool_calls),
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
        if words := self.target.quirks.not_answers:
            received = _judged(received, words)
        try:
            async with aclosing(received):
                async for piece in received:
                    answer.add(piece)
                    yield piece
            _check(answer.finish_reason, has_content=answer.has_content)
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
        yield _not_empty(dialect.parse_response(body))

    async def _streamed(self, answer: Answer) -> AsyncGenerator[Piece, None]:
        dialect = dialect_for(self.target.dialect)
        deadline = _now() + self.within_s
        first_by = min(deadline, _now() + self.timeouts.first_token_s)
        parser = dialect.parse_stream()
        async with self._sent(dialect, answer, first_by, stream=True) as incoming:
            if _is(incoming, "text/html"):
                raise MalformedReply("The provider answered with a web page.", status=answer.status)
            head = await incoming.read(first_by - _now(), "the first token")
            if head.lstrip().startswith(b"{"):  # some hosts ignore the wish for a stream
                body = head + await incoming.read_all(deadline - _now(), "the whole answer")
                yield _not_empty(dialect.parse_response(body))
                return
            incoming.put_back(head)
            async with aclosing(self._events(incoming, parser, first_by, deadline)) as events:
                async for piece in events:
                    yield piece
        if not parser.is_complete:
            raise StreamCut("The stream ended before the answer did.", status=answer.status)

    async def _events(
        self, incoming: Incoming, parser: StreamParser, first_by: float, deadline: float
    ) -> AsyncGenerator[Piece, None]:
        """Pieces as they come. After the answer's end only its usage is waited for, and briefly."""
        next_by, waiting_for, began = first_by, "the first token", _now()
        data = b" "
        while data and not parser.is_complete:
            with _told(began, waiting_for):
                data = await incoming.read(next_by - _now(), waiting_for)
            pieces = parser.feed(data)
            for piece in pieces:
                yield piece
            if any(piece.has_content or piece.is_sign_of_life for piece in pieces):
                began, waiting_for = _now(), "the next token"
                next_by = began + self.timeouts.stall_s
            next_by = min(next_by, deadline)
        over_by = min(deadline, _now() + _AFTER_THE_END_S)
        with suppress(ProviderError):
            while data and not parser.is_over:
                data = await incoming.read(over_by - _now(), "the usage")
                for piece in parser.feed(data):
                    yield piece
            if data:  # read to the end, so that the connection can be used again
                await incoming.read(_LAST_BYTES_S, "the end")

    @asynccontextmanager
    async def _sent(
        self, dialect: Dialect, answer: Answer, head_by: float, *, stream: bool
    ) -> AsyncIterator[Incoming]:
        """Send; give the answer where it is one, raise what it stands for where it is not."""
        began = _now()
        outgoing = dialect.build_request(self.target, self.request, stream=stream)
        answer.dropped = outgoing.dropped
        async with self.transport.exchange(
            outgoing,
            self.timeouts,
            head_within_s=head_by - _now(),
            allows_private=self.target.allows_private_address,
        ) as incoming:
            answer.status, answer.headers = incoming.status, incoming.headers
            answer.head_after_s = _now() - began
            if incoming.status not in _OK:
                # Before it is read: what a reader cuts short could end within the key.
                body = (await _error_body(incoming)).decode(errors="surrogateescape")
                said = self._redacted(body).encode(errors="surrogateescape")
                raise dialect.classify_error(incoming.status, incoming.headers, said)
            yield incoming

    def _redacted(self, said: str) -> str:
        """Providers like to repeat the key they refuse."""
        key = self.target.key.reveal() if self.target.key else ""
        return said.replace(key, "…") if key else said


@contextmanager
def _told(began: float, waiting_for: str) -> Iterator[None]:
    """A wait that ends in vain is told from its beginning: comments may have come meanwhile."""
    try:
        yield
    except ProviderTimeout as error:
        error.say(f"Waited {_now() - began:.2g} s for {waiting_for}.")
        raise


def _is(incoming: Incoming, media_type: str) -> bool:
    said = incoming.headers.get("content-type", "")
    return said.partition(";")[0].strip().lower() == media_type


async def _error_body(incoming: Incoming) -> bytes:
    """What can be had of it quickly: the status alone says enough."""
    body = b""
    until = _now() + _ERROR_BODY_S
    with suppress(GatewayError):
        while len(body) < _ERROR_BODY_BYTES:
            piece = await incoming.read(until - _now(), "the reason of the refusal")
            if not piece:
                break
            body += piece
    return body


async def _judged(
    received: AsyncGenerator[Piece, None], words: frozenset[str]
) -> AsyncGenerator[Piece, None]:
    """Hold the answer's beginning back while it may turn out to be one of the words."""
    held: list[Piece] = []
    text = ""
    async with aclosing(received):
        async for piece in received:
            held.append(piece)
            text += piece.text
            said = text.strip().lower()
            if not any(word.startswith(said) for word in words):
                for one in held:
                    yield one
                held.clear()
    if held and said in words:
        raise ContentBlocked(f"A filter said “{said}” in the model's place.", status=200)
    for one in held:
        yield one


def _not_empty(piece: Piece) -> Piece:
    """A whole answer, if it is one."""
    _check(piece.finish_reason, has_content=piece.has_content)
    return piece


def _check(finish_reason: str, *, has_content: bool) -> None:
    """Nothing at all is an answer only where the request's own bound cut it short."""
    if not has_content and finish_reason != "length":
        raise MalformedReply(f"The answer was empty ({finish_reason or 'no reason given'}).")


def _now() -> float:
    return asyncio.get_running_loop().time()

"""The call upstream: a task of its own, and an inbox of what it has said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from catalog.engine import engine
from gateway.errors import GatewayError
from gateway.estimate import estimate_prompt_tokens
from gateway.types import CacheMode, ChatRequest, Message, Priority, StreamItem, Target
from playground.models import Run
from playground.planning import history

CANCEL_EVERY_S = 0.2
# Tokens kept free for the answer where no maximum was asked for.
DEFAULT_ROOM = 1_200


@dataclass(slots=True)
class Call:
    """The call upstream, and what it has said that nobody has taken yet."""

    inbox: asyncio.Queue[StreamItem | GatewayError | None] = field(default_factory=asyncio.Queue)
    task: asyncio.Task[None] | None = None
    is_stopped: bool = False
    why_stopped: str = ""  # "" where the person stopped it

    def start(self, request: ChatRequest, targets: Sequence[Target]) -> None:
        self.task = asyncio.create_task(self._run(request, targets))

    async def _run(self, request: ChatRequest, targets: Sequence[Target]) -> None:
        try:
            async with engine() as gateway, aclosing(gateway.stream(request, targets)) as items:
                async for item in items:
                    if self.is_stopped:  # and the cancellation was lost, see `close`
                        break
                    self.inbox.put_nowait(item)
        except GatewayError as error:
            self.inbox.put_nowait(error)
        finally:
            self.inbox.put_nowait(None)

    def stop(self, why: str = "") -> None:
        if not self.is_stopped:
            self.is_stopped, self.why_stopped = True, why
        if self.task is not None:
            self.task.cancel()

    async def close(self) -> None:
        """Cancel until it has ended: redis-py loses a cancellation that meets it connecting."""
        while self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=CANCEL_EVERY_S)

    async def take(self, timeout_s: float) -> list[StreamItem | GatewayError | None]:
        """All there is, waiting for the first; nothing after `timeout_s`."""
        first = []
        if self.inbox.empty():
            with suppress(TimeoutError):
                first.append(await asyncio.wait_for(self.inbox.get(), timeout_s))
        return [*first, *(self.inbox.get_nowait() for _ in range(self.inbox.qsize()))]


async def request_of(run: Run, targets: Sequence[Target]) -> ChatRequest:
    """What is asked upstream; the run notes the call's id and what its prompt is guessed at."""
    parameters = run.parameters
    turns = await history(run.conversation_id, run.context_before)
    messages = _fitting(run, turns, targets)
    request = ChatRequest(
        messages=messages,
        temperature=parameters.get("temperature"),
        top_p=parameters.get("top_p"),
        max_tokens=parameters.get("max_tokens"),
        stop=tuple(parameters.get("stop") or ()),
        seed=parameters.get("seed"),
        priority=Priority.INTERACTIVE,
        cache=CacheMode.USE if parameters.get("use_caches") else CacheMode.REFRESH,
        owner=run.owner,
        source=run.SOURCE,
    )
    run.call_id = request.call_id
    run.prompt_tokens, run.is_usage_estimated = estimate_prompt_tokens(messages), True
    return request


def _fitting(run: Run, turns: list[Message], targets: Sequence[Target]) -> tuple[Message, ...]:
    """The messages, without the oldest turns that the first target has no room for."""
    system = [Message("system", run.system)] if run.system.strip() else []
    prompt = Message("user", run.prompt)
    context = targets[0].context_tokens if targets else None
    if context is not None:
        reserved = run.parameters.get("max_tokens") or DEFAULT_ROOM
        while turns and estimate_prompt_tokens([*system, *turns, prompt]) + reserved > context:
            turns = turns[2:]  # a question and its answer
            run.dropped_turns += 1
    return (*system, *turns, prompt)

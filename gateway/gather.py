"""Many calls at once: their order kept, one failure harming none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.types import ChatRequest, Completion

Ended = Completion | GatewayError

AT_ONCE = 256  # more would only stand in the queues of the providers


@dataclass(frozen=True, slots=True)
class Progress:
    """One more of `total` has ended: the request at `index`, with `ended`."""

    done: int
    total: int
    index: int
    ended: Ended


async def gather(
    complete: Callable[[ChatRequest], Awaitable[Completion]],
    requests: Sequence[ChatRequest],
    *,
    at_once: int = AT_ONCE,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Ended]:
    """For each request its answer, or the GatewayError it ended in, in the order of `requests`.

    At most `at_once` are under way. Cancelling it cancels those and begins no other; so does an
    error that is none of the engine's, which is raised.
    """
    ended: list[Ended | None] = [None] * len(requests)
    waiting = enumerate(requests)
    done = 0

    async def work(waiting: Iterator[tuple[int, ChatRequest]]) -> None:
        nonlocal done
        for index, request in waiting:
            one = await _ended(complete(request))
            ended[index] = one
            done += 1
            if on_progress is not None:
                on_progress(Progress(done, len(requests), index, one))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(requests))):
                group.create_task(work(waiting))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return [one for one in ended if one is not None]


async def _ended(answering: Awaitable[Completion]) -> Ended:
    try:
        return await answering
    except GatewayError as error:
        return error

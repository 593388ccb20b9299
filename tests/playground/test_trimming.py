"""Earlier turns that a model has no room for are left out, and the page says so."""

from __future__ import annotations

from django.test import AsyncClient

from playground.models import RunState
from tests.playground.conftest import Simulate
from tests.playground.streams import read
from tests.playground.test_stream import send, stream_of


async def test_turns_that_do_not_fit_are_left_out(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The newest go along; the finished answer and the page loaded later tell of the others."""
    simulated = await simulate()
    simulated.offer.context_tokens = 3_000
    await simulated.offer.asave()
    first = await send(operator_async_client, prompt="wind " * 1_500)
    await read(await stream_of(operator_async_client, first))
    fields = {"conversation": str(first.conversation_id), "max_tokens": "200"}
    second = await send(operator_async_client, prompt="rain " * 500, **fields)
    done = (await read(await stream_of(operator_async_client, second)))[-1].data
    await second.arefresh_from_db()
    assert (second.state, second.dropped_turns) == (RunState.DONE, 1)
    assert (second.prompt_tokens or 0) < 1_500, "the first turn alone has more"
    page = await operator_async_client.get(f"/playground/{first.conversation_id}/")
    for text in (done, page.content.decode()):
        assert text.count("1 earlier turn did not fit and was left out") == 1

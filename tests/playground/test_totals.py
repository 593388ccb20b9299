"""What a conversation took, and that what is not known is not counted as nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncClient

from playground.models import Run, RunState
from playground.totals import Total, total
from tests.playground.conftest import Simulate
from tests.playground.streams import read
from tests.playground.test_stream import HTMX, SEND, send, stream_of

LABEL = "Heron 7B on Sim"


def answered(**fields: Any) -> Run:
    return Run(state=RunState.DONE, **fields)


@pytest.mark.parametrize(
    ("runs", "tokens_in"),
    [
        ([], Total(None, "no data yet")),
        ([answered(label="")], Total(None, "no data yet")),
        ([answered(label=LABEL)], Total(None, "not reported")),
        ([answered(label=LABEL, prompt_tokens=7), answered(label=LABEL)], Total(7, "at least")),
        ([answered(label=LABEL, prompt_tokens=7, is_usage_estimated=True)], Total(7, "about")),
        (
            [answered(label=LABEL, prompt_tokens=7), answered(label=LABEL, prompt_tokens=5)],
            Total(12),
        ),
        ([answered(label=LABEL, prompt_tokens=0)], Total(0)),
    ],
)
def test_unknown_is_not_zero(runs: list[Run], tokens_in: Total) -> None:
    """A missing count is said in words; a count of zero is one."""
    assert total(runs).tokens_in == tokens_in


async def test_the_panel_comes_with_the_first_prompt(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """A new conversation can be renamed, deleted and taken away without a reload."""
    await simulate()
    begun = await operator_async_client.post(SEND, {"prompt": "Say something"}, headers=HTMX)
    text = begun.content.decode()
    for part in ('id="conversation"', "export.md", "rename/", "delete/", "no data yet"):
        assert part in text
    run = await Run.objects.select_related("conversation").alatest("pk")
    done = (await read(await stream_of(operator_async_client, run)))[-1]
    assert 'id="totals"' in done.data
    assert "no data yet" not in done.data


async def test_the_next_turn_keeps_system_prompt_and_parameters(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """A reloaded conversation goes on with what its last prompt was sent with."""
    await simulate()
    kept = {"system": "Answer in rhymes", "temperature": "0.7", "seed": "42", "stop": "END\nFIN"}
    run = await send(operator_async_client, may_fall_back="on", **kept)
    page = await operator_async_client.get(f"/playground/{run.conversation_id}/")
    text = page.content.decode()
    assert ">Answer in rhymes</textarea>" in text
    assert 'value="0.7"' in text
    assert 'value="42"' in text
    assert "END\nFIN</textarea>" in text
    assert 'name="may_fall_back" checked' in text
    assert 'name="use_caches" checked' not in text

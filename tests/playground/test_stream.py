"""A prompt is sent, claimed once, answered piece by piece, and kept as it ended."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest
from django.test import AsyncClient
from django.utils import timezone

from gateway.simulator.scenario import Fault, FaultKind
from playground import running
from playground.ending import LEFT, RESTARTED
from playground.models import BEAT_LOST_AFTER, Run, RunState
from playground.running import carrying
from playground.upstream import Call
from tests.factories import amake_user
from tests.playground.conftest import WITHIN_S, Simulate
from tests.playground.streams import parse, read, until

SEND = "/playground/send/"
HTMX = {"HX-Request": "true"}
# Slow enough to be stopped in the middle, fast enough to begin at once.
SLOW: dict[str, Any] = {"tokens_per_s": 20.0}


async def send(client: AsyncClient, **fields: str) -> Run:
    response = await client.post(SEND, {"prompt": "Say something", **fields}, headers=HTMX)
    assert response.status_code == 200, response.content.decode()[:2000]
    return await Run.objects.select_related("conversation").alatest("pk")


async def stream_of(client: AsyncClient, run: Run) -> AsyncGenerator[bytes, None]:
    response = await client.get(f"/playground/runs/{run.pk}/stream/")
    assert response["Content-Type"] == "text/event-stream"
    assert response["Cache-Control"] == "no-store"
    assert response["X-Accel-Buffering"] == "no"
    assert response.streaming
    return aiter(response)  # type: ignore[arg-type]  # the client's type knows no streams


async def over(run: Run) -> None:
    """Until the run has ended, whoever carries it out."""
    async with asyncio.timeout(WITHIN_S):
        while not run.is_over:
            await asyncio.sleep(0.02)  # it ends in a task of its own
            await run.arefresh_from_db()


def totals_in(html: str) -> list[str]:
    """Prompts, tokens in, tokens out, as the page counts them."""
    part = html[html.index('id="totals"') :]
    figures = re.findall(r'<dd class="num">(.*?)</dd>', part, re.DOTALL)[:3]
    return [one.strip().replace("\u202f", "") for one in figures]


async def test_an_answer_streams_and_is_kept(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The page gets who answers, the text as it grows, and the finished run with its figures."""
    await simulate()
    run = await send(operator_async_client)
    events = await read(await stream_of(operator_async_client, run))
    assert events[-1].name == "done"
    await run.arefresh_from_db()
    assert run.state == RunState.DONE, run.error
    assert run.answer
    assert run.completion_tokens
    assert run.first_token_s is not None
    assert run.trail[0]["outcome"] == "answered"
    assert "Wren 8B" in events[-1].data
    assert "attempt" in events[-1].data


async def test_the_text_grows_on_the_page(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """Parts of the answer arrive before it is over, as HTML."""
    await simulate(tokens_per_s=200.0)
    run = await send(operator_async_client)
    events = await read(await stream_of(operator_async_client, run))
    names = [event.name for event in events]
    assert names.index("tail") < names.index("done")
    assert {"head", "trail", "stats"} <= set(names)
    assert next(name for name in names if name in {"whole", "block", "tail"}) == "whole"
    assert names.count("whole") == 1


async def test_a_second_connection_never_calls_again(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """A reload or a second tab is told how the run goes; upstream hears one request."""
    simulated = await simulate(tokens_per_s=200.0)
    run = await send(operator_async_client)
    both = await asyncio.gather(
        read(await stream_of(operator_async_client, run)),
        read(await stream_of(operator_async_client, run)),
    )
    later = await read(await stream_of(operator_async_client, run))
    assert [events[-1].name for events in (*both, later)] == ["done"] * 3
    assert [event.name for event in later] == ["done"]
    assert (await simulated.state())["requests"] == 1


async def test_stop_cancels_upstream_and_keeps_the_part(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """Stop ends the stream with what came until then; the provider sees its client leave."""
    simulated = await simulate(**SLOW)
    run = await send(operator_async_client)
    stream = await stream_of(operator_async_client, run)
    begun = await until(stream, "tail")
    response = await operator_async_client.post(f"/playground/runs/{run.pk}/stop/", headers=HTMX)
    assert response.status_code == 204
    rest = parse(begun + b"".join([part async for part in stream]))
    assert rest[-1].name == "done"
    assert "What came until then is kept" in rest[-1].data
    await run.arefresh_from_db()
    assert run.state == RunState.STOPPED
    assert run.answer
    assert [attempt["outcome"] for attempt in run.trail] == ["cancelled"]
    await simulated.wait_for("disconnected", 1)


async def test_a_stop_in_another_process_is_heard(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """What another process writes down stops the run here, without Redis."""
    simulated = await simulate(**SLOW)
    run = await send(operator_async_client)
    stream = await stream_of(operator_async_client, run)
    await until(stream, "tail")
    await Run.objects.filter(pk=run.pk).aupdate(is_stop_asked=True)
    rest = await read(stream)
    assert rest[-1].name == "done"
    await run.arefresh_from_db()
    assert run.state == RunState.STOPPED
    await simulated.wait_for("disconnected", 1)


async def test_a_lost_cancellation_is_sent_again() -> None:
    """Closing a call does not wait for ever on one that swallowed its first cancellation."""

    async def deaf_once() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    call = Call()
    call.task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)  # let it begin
    call.stop()
    await call.close()
    assert call.task.cancelled()


async def test_a_lost_browser_can_come_back(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """After a reload the answer goes on, seen from its beginning; upstream hears one request."""
    simulated = await simulate(tokens_per_s=100.0)
    run = await send(operator_async_client)
    stream = await stream_of(operator_async_client, run)
    await until(stream, "tail")
    await stream.aclose()  # what the server does when its client has left
    page = await operator_async_client.get(f"/playground/{run.conversation_id}/")
    assert f'sse-connect="/playground/runs/{run.pk}/stream/"' in page.content.decode()
    assert "Reload to see more" in page.content.decode()
    events = await read(await stream_of(operator_async_client, run))
    await run.arefresh_from_db()
    assert (run.state, run.error) == (RunState.DONE, "")
    assert "This is a simulated answer" in events[-1].data
    assert (await simulated.state())["requests"] == 1
    assert (await simulated.state())["disconnected"] == 0


async def test_a_browser_that_stays_away_stops_the_call(
    operator_async_client: AsyncClient, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits any more: upstream is cancelled, and the part is kept for a retry."""
    monkeypatch.setattr(running, "ALONE_AT_MOST_S", 0.2)
    simulated = await simulate(**SLOW)
    run = await send(operator_async_client)
    stream = await stream_of(operator_async_client, run)
    await until(stream, "tail")
    await stream.aclose()
    await simulated.wait_for("disconnected", 1)
    await over(run)
    assert (run.state, run.error) == (RunState.STOPPED, LEFT)
    assert run.answer
    page = await operator_async_client.get(f"/playground/{run.conversation_id}/")
    assert "Retry" in page.content.decode()


async def test_who_looks_from_another_process_is_noticed(
    operator_async_client: AsyncClient, simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that another process serves keeps the run alive."""
    monkeypatch.setattr(running, "ALONE_AT_MOST_S", 1.0)
    monkeypatch.setattr(running, "LOOKING_EVERY_S", 0.2)
    await simulate(tokens_per_s=80.0)
    run = await send(operator_async_client)
    stream = await stream_of(operator_async_client, run)
    await until(stream, "tail")
    await stream.aclose()
    elsewhere = await Run.objects.select_related("conversation").aget(pk=run.pk)
    looks = [seen.answer async for seen in running._watch_from_afar(elsewhere)]
    await run.arefresh_from_db()
    assert (run.duration_s or 0) > 1.5, "too short to have been left alone"
    assert (run.state, run.error) == (RunState.DONE, "")
    assert looks[-1] == run.answer
    assert len(set(looks)) > 2


async def test_a_process_that_ends_keeps_its_answers(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """Asked to stop, the process ends its runs with a reason and what had come."""
    simulated = await simulate(**SLOW)
    async with carrying():
        run = await send(operator_async_client)
        stream = await stream_of(operator_async_client, run)
        begun = await until(stream, "tail")
    await run.arefresh_from_db()
    assert (run.state, run.error) == (RunState.STOPPED, RESTARTED)
    assert run.answer
    assert run.is_usage_estimated
    assert run.prompt_tokens
    assert run.completion_tokens
    rest = parse(begun + b"".join([part async for part in stream]))
    assert "What came until then is kept" in rest[-1].data
    await simulated.wait_for("disconnected", 1)


async def test_a_second_tab_counts_right(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """While an answer grows its tokens are not counted yet; once it is whole, both tabs tell."""
    await simulate(tokens_per_s=200.0)
    first = await send(operator_async_client)
    await read(await stream_of(operator_async_client, first))
    second = await send(operator_async_client, conversation=str(first.conversation_id))
    stream = await stream_of(operator_async_client, second)
    begun = await until(stream, "tail")
    page = (await operator_async_client.get(f"/playground/{first.conversation_id}/")).content
    await first.arefresh_from_db()
    assert totals_in(page.decode()) == ["2", str(first.prompt_tokens), str(first.completion_tokens)]
    other = await read(await stream_of(operator_async_client, second))
    rest = parse(begun + b"".join([part async for part in stream]))
    await second.arefresh_from_db()
    sums = [
        str((first.prompt_tokens or 0) + (second.prompt_tokens or 0)),
        str((first.completion_tokens or 0) + (second.completion_tokens or 0)),
    ]
    assert totals_in(other[-1].data) == totals_in(rest[-1].data) == ["2", *sums]


async def test_a_run_whose_process_died_can_be_asked_again(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """A run still marked running without a sign of life is shown as stopped, with its part."""
    await simulate()
    run = await send(operator_async_client)
    long_ago = timezone.now() - 2 * BEAT_LOST_AFTER
    await Run.objects.filter(pk=run.pk).aupdate(
        state=RunState.RUNNING, started_at=long_ago, beat_at=long_ago, answer="Half of"
    )
    page = (await operator_async_client.get(f"/playground/{run.conversation_id}/")).content.decode()
    assert "Half of" in page
    assert "restarted" in page
    again = await operator_async_client.post(f"/playground/runs/{run.pk}/retry/", headers=HTMX)
    assert again.status_code == 200
    retried = await Run.objects.select_related("conversation").alatest("pk")
    await read(await stream_of(operator_async_client, retried))
    await retried.arefresh_from_db()
    assert (retried.state, retried.retry_of_id) == (RunState.DONE, run.pk)


async def test_a_cut_stream_keeps_its_part_and_asks_nobody_else(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """After the first token there is no fallback: two answers are never joined."""
    other = await simulate(slug="sim-other", name="Heron 7B")
    cut = await simulate(faults=(Fault(FaultKind.CUT, at=0.5),))
    run = await send(operator_async_client, offer=str(cut.offer.pk), may_fall_back="on")
    events = await read(await stream_of(operator_async_client, run))
    await run.arefresh_from_db()
    assert run.state == RunState.FAILED
    assert run.answer
    assert [attempt["outcome"] for attempt in run.trail] == ["cut"]
    assert "Retry" in events[-1].data
    assert (await other.state())["requests"] == 0


async def test_the_fallback_is_shown(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The trail tells who failed first and why, and who answered."""
    await simulate(slug="sim-other", name="Heron 7B")
    broken = await simulate(faults=(Fault(FaultKind.ERROR, status=503),))
    run = await send(operator_async_client, offer=str(broken.offer.pk), may_fall_back="on")
    events = await read(await stream_of(operator_async_client, run))
    await run.arefresh_from_db()
    assert run.state == RunState.DONE, run.error
    assert run.label.startswith("Heron 7B")
    assert "fell back" in events[-1].data


async def test_without_fallback_a_failure_is_told(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The sentence says who failed; the prompt stays and can be retried."""
    broken = await simulate(faults=(Fault(FaultKind.ERROR, status=503),))
    run = await send(operator_async_client, offer=str(broken.offer.pk))
    events = await read(await stream_of(operator_async_client, run))
    await run.arefresh_from_db()
    assert run.state == RunState.FAILED
    assert run.error
    assert "Retry" in events[-1].data


async def test_an_expired_session_is_told_in_the_stream(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """An event stream cannot follow a redirect to a sign-in page, so it says what happened."""
    await simulate()
    run = await send(operator_async_client)
    events = await read(await stream_of(AsyncClient(), run))
    assert [event.name for event in events] == ["done"]
    assert "session has ended" in events[0].data
    await run.arefresh_from_db()
    assert run.state == RunState.QUEUED


async def test_somebody_elses_run_is_not_there(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """Streams, stops and retries of others are 404s."""
    await simulate()
    run = await send(operator_async_client)
    stranger = AsyncClient()
    await stranger.aforce_login(await amake_user(role="admin"))
    assert (await stranger.get(f"/playground/runs/{run.pk}/stream/")).status_code == 404
    assert (await stranger.post(f"/playground/runs/{run.pk}/stop/")).status_code == 404
    assert (await stranger.post(f"/playground/runs/{run.pk}/retry/")).status_code == 404
    assert (await stranger.get(f"/playground/{run.conversation_id}/")).status_code == 404


async def test_later_turns_hear_the_earlier_ones(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The second prompt of a conversation is sent with the first and its answer."""
    await simulate()
    first = await send(operator_async_client, prompt="My name is Mara.")
    await read(await stream_of(operator_async_client, first))
    second = await send(operator_async_client, conversation=str(first.conversation_id))
    await read(await stream_of(operator_async_client, second))
    await first.arefresh_from_db()
    await second.arefresh_from_db()
    assert second.conversation_id == first.conversation_id
    assert (second.prompt_tokens or 0) > (first.prompt_tokens or 0)


async def test_without_javascript_the_post_returns_the_answer(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """A plain form is answered within its request and leads to the finished conversation."""
    await simulate()
    response = await operator_async_client.post(SEND, {"prompt": "Say something"})
    assert response.status_code == 302
    run = await Run.objects.alatest("pk")
    assert run.state == RunState.DONE, run.error
    page = await operator_async_client.get(response["Location"])
    assert "Say something" in page.content.decode()
    assert "tok" in page.content.decode()


async def test_another_model_can_be_asked(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """The other models are offered, and the one chosen answers the same prompt."""
    await simulate()
    run = await send(operator_async_client)
    await read(await stream_of(operator_async_client, run))
    other = await simulate(slug="sim-other", name="Heron 7B")
    address = f"/playground/runs/{run.pk}/others/"
    for headers in ({}, HTMX):
        page = (await operator_async_client.get(address, headers=headers)).content.decode()
        assert "Heron 7B" in page
        assert "Wren 8B</span>" not in page
    await operator_async_client.post(
        f"/playground/runs/{run.pk}/retry/", {"offer": str(other.offer.pk)}, headers=HTMX
    )
    again = await Run.objects.select_related("conversation").alatest("pk")
    await read(await stream_of(operator_async_client, again))
    await again.arefresh_from_db()
    assert again.label.startswith("Heron 7B")
    assert (again.prompt, again.retry_of_id) == (run.prompt, run.pk)

"""Why nobody answered, in words a person can act on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import AsyncClient

from gateway.simulator.scenario import Fault, FaultKind
from gateway.types import Attempt, Outcome
from playground.failures import Remedy, failures
from playground.models import Conversation, Run, RunState
from playground.presenting import ShownRun
from tests.playground.conftest import Simulate
from tests.playground.streams import read
from tests.playground.test_stream import send, stream_of

BEGAN = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
RAW = "Error code 40013: tenant quota bucket exceeded"


def attempt(label: str, outcome: Outcome, **fields: Any) -> dict[str, Any]:
    return asdict(Attempt("sparrow", "m", label, outcome, detail=RAW, **fields))


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.ANSWERED, Outcome.CANCELLED}))
def test_every_outcome_has_words_and_a_way_on(outcome: Outcome) -> None:
    """None repeats the provider, whose words stay folded."""
    (one,) = failures([attempt("Heron", outcome)], BEGAN, BEGAN)
    assert one.what
    assert RAW not in one.what
    assert (one.said, one.until) == (RAW, None)


def test_a_wait_is_a_clock_time_until_it_is_over() -> None:
    """Five minutes after the attempt's end the quota is back; then it is time to retry."""
    trail = [
        attempt("Heron", Outcome.QUOTA_EXHAUSTED, started_s=1, duration_s=1, retry_after_s=298)
    ]
    (one,) = failures(trail, BEGAN, BEGAN + timedelta(seconds=10))
    assert (one.remedy, one.until) == (Remedy.WAIT, BEGAN + timedelta(minutes=5))
    (one,) = failures(trail, BEGAN, BEGAN + timedelta(minutes=6))
    assert (one.remedy, one.until) == (Remedy.RETRY, None)


def test_each_target_has_one_line() -> None:
    """Its last word counts, not every try; who answered did not fail."""
    trail = [
        attempt("Heron", Outcome.TIMEOUT),
        attempt("Heron", Outcome.UNAVAILABLE),
        attempt("Wren", Outcome.AUTH_REJECTED),
        attempt("Owl", Outcome.ANSWERED),
    ]
    found = [(one.label, one.remedy) for one in failures(trail, BEGAN, BEGAN)]
    assert found == [("Heron", Remedy.RETRY), ("Wren", Remedy.PROVIDER)]


def test_the_callout_speaks_first_and_folds_what_was_said() -> None:
    """Our sentence, a line for each target with its remedy, then the raw texts in a fold."""
    trail = [
        attempt("Heron", Outcome.QUOTA_EXHAUSTED, retry_after_s=7_200),
        attempt("Wren", Outcome.AUTH_REJECTED),
    ]
    run = Run(pk=1, conversation=Conversation(pk=1), trail=trail, state=RunState.FAILED, error=RAW)
    html = render_to_string("playground/_failed.html", {"shown": ShownRun(run)})
    before, _, folded = html.partition("<details")
    assert "Nobody answered: 2 models were asked." in before
    assert "Its quota is used up until <time" in before
    assert 'href="/catalog/providers/sparrow/">Open its provider</a>' in before
    assert RAW not in before
    assert folded.count(RAW) == 2


async def test_a_broken_off_answer_says_so(
    operator_async_client: AsyncClient, simulate: Simulate
) -> None:
    """What came is above the callout; nobody else was asked to go on."""
    await simulate(faults=(Fault(FaultKind.CUT, at=0.5),))
    run = await send(operator_async_client)
    done = (await read(await stream_of(operator_async_client, run)))[-1].data
    assert "broke off. Nobody else was asked to go on." in done
    assert "what came until then is kept. Retry" in " ".join(done.split()).replace(" .", ".")

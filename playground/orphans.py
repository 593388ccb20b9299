"""Runs whose web process was killed: ended with what was written, and put on record.

The killed process told nobody of its call, so whoever finds the run tells of it, once.
"""

from __future__ import annotations

from django.utils import timezone

from catalog.engine import engine
from gateway.events import CallEvent
from gateway.types import Attempt, Outcome
from playground.ending import RESTARTED, end
from playground.models import BEAT_LOST_AFTER, Run, RunState


async def settle_orphans() -> int:
    """End every run that has lost its process; how many there were."""
    lost = Run.objects.beating_before(timezone.now() - BEAT_LOST_AFTER)
    return sum([await settle_if_interrupted(run) async for run in lost])


async def settle_if_interrupted(run: Run) -> bool:
    """End a run that has lost its process, keeping the part of its answer that was written.

    Whether it was this caller who ended it; `run` is as the database has it in either case.
    """
    if not run.is_interrupted:
        return False
    end(run, RunState.STOPPED, RESTARTED, at=run.last_sign)
    ended = await Run.objects.filter(pk=run.pk, state=RunState.RUNNING).aupdate(
        state=run.state, error=run.error, finished_at=run.finished_at, duration_s=run.duration_s,
        trail=run.trail, prompt_tokens=run.prompt_tokens,
        completion_tokens=run.completion_tokens, is_usage_estimated=run.is_usage_estimated,
    )  # fmt: skip
    if not ended:
        await run.arefresh_from_db(from_queryset=Run.objects.select_related("conversation"))
    elif run.call_id:
        async with engine() as gateway:
            await gateway.tell(_event_of(run))
    return bool(ended)


def _event_of(run: Run) -> CallEvent:
    attempts = tuple(Attempt.from_plain(one) for one in run.trail)
    last = attempts[-1] if attempts else None
    return CallEvent(
        call_id=run.call_id,
        at=(run.started_at or run.created_at).timestamp(),
        source=run.SOURCE,
        owner=run.owner,
        outcome=Outcome.CUT,
        provider=last.provider if last else "",
        model=last.model if last else "",
        key_id=last.key_id if last else "none",
        cached=run.cached,
        is_streamed=True,
        duration_s=run.duration_s or 0.0,
        first_token_s=run.first_token_s,
        prompt_tokens=run.prompt_tokens or 0,
        completion_tokens=run.completion_tokens or 0,
        is_usage_estimated=run.is_usage_estimated,
        attempts=attempts,
        detail="The web process was killed while the answer came.",
    )

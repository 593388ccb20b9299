"""Writes of the playground: starting a conversation, adding runs to it."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from catalog.complexity import Task
from playground.models import TITLE_CHARACTERS, Conversation, Run, RunState
from playground.planning import Ask, CannotPlan, Plan, make_plan


async def ask(user: Any, wanted: Ask, offer_id: int | None, parameters: dict[str, Any]) -> Run:
    """Queue a run of `wanted` in its conversation, or a new one; raises CannotPlan."""
    plan = await make_plan(wanted, offer_id, may_fall_back=parameters["may_fall_back"])
    return await sync_to_async(_add_run)(user, wanted, plan, parameters, None)


async def ask_again(run: Run, offer_id: int | None, user: Any) -> Run:
    """Queue the same prompt anew, with another offer where one is given; raises CannotPlan."""
    wanted = ask_of(run)
    may_fall_back = bool(run.parameters.get("may_fall_back"))
    plan = await make_plan(wanted, offer_id, may_fall_back=may_fall_back)
    # What is asked again must be answered anew, not from the cache.
    parameters = {**run.parameters, "use_caches": False}
    return await sync_to_async(_add_run)(user, wanted, plan, parameters, run)


def ask_of(run: Run) -> Ask:
    """What planning must know to ask a run's prompt again."""
    return Ask(
        prompt=run.prompt,
        system=run.system,
        task=Task(run.task) if run.task in set(Task) else None,
        max_tokens=run.parameters.get("max_tokens"),
        conversation_id=run.conversation_id,
        context_before=run.context_before,
    )


@transaction.atomic
def _add_run(
    user: Any, wanted: Ask, plan: Plan, parameters: dict[str, Any], retry_of: Run | None
) -> Run:
    now = timezone.now()
    if wanted.conversation_id is None:
        conversation = Conversation.objects.create(user=user, title=title_of(wanted.prompt))
    else:
        # The lock makes two tabs of one conversation take different positions.
        own = Conversation.objects.of(user).select_for_update()
        found = own.filter(pk=wanted.conversation_id).first()
        if found is None:
            raise CannotPlan("This conversation was deleted meanwhile. Begin a new one.")
        conversation = found
        conversation.updated_at = now
        conversation.save(update_fields=["updated_at"])
    last = conversation.runs.aggregate(last=Max("position"))["last"]
    position = 1 if last is None else last + 1
    return Run.objects.create(
        conversation=conversation,
        position=position,
        context_before=position if retry_of is None else retry_of.context_before,
        retry_of=retry_of,
        prompt=wanted.prompt,
        system=wanted.system,
        task=plan.needs.task,
        complexity=plan.needs.complexity,
        parameters=parameters,
        is_pinned=plan.is_pinned,
        plan=plan.offer_ids,
        pick=plan.pick,
    )


@transaction.atomic
def delete_conversation(conversation: Conversation) -> None:
    """With all its runs, one that another tab is just adding among them."""
    # The same lock as in `_add_run`: a run added meanwhile would point to nothing.
    locked = Conversation.objects.select_for_update().filter(pk=conversation.pk).first()
    if locked is not None:
        locked.delete()


def title_of(prompt: str) -> str:
    """The prompt's first words."""
    words = " ".join(prompt[: 4 * TITLE_CHARACTERS].split())
    if len(words) <= TITLE_CHARACTERS:
        return words
    cut = words[: TITLE_CHARACTERS - 1].rsplit(" ", 1)[0]
    return f"{cut}…"


async def claim(run: Run) -> bool:
    """Take a queued run for this process; False where somebody else has taken it."""
    now = timezone.now()
    taken = await Run.objects.filter(pk=run.pk, state=RunState.QUEUED).aupdate(
        state=RunState.RUNNING, started_at=now, beat_at=now
    )
    if taken:
        run.state, run.started_at, run.beat_at = RunState.RUNNING, now, now
    return bool(taken)

"""What the composer shows while a prompt is written: who would answer it, and why."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from catalog.recommend import picks
from catalog.snapshot import asnapshot
from freellm_site.lib.roles import Role, require_role
from playground.forms import PromptForm
from playground.models import Conversation
from playground.planning import Ask, rank, why_nobody

arender = sync_to_async(render)


@require_POST
@require_role(Role.OPERATOR)
async def recommend(request: HttpRequest) -> HttpResponse:
    """The three best models for what is being typed; nothing is kept, nothing is called."""
    form = PromptForm(request.POST)
    form.is_valid()  # what is not valid yet counts as not typed yet
    context = await picks_context(await ask_from(request, form), form.cleaned_data.get("offer"))
    return await arender(request, "playground/_picks.html", context)


async def picks_context(wanted: Ask, chosen: int | None) -> dict[str, Any]:
    """The picks, and the chosen offer among them even where it is not one of the best."""
    ranking = await rank(wanted)
    shown, place = picks(ranking), ranking.place_of(chosen)
    if place is not None and all(one.candidate.offer_id != chosen for one in shown):
        shown = [*shown[:-1], ranking[place]]
    return {
        "needs": ranking.needs,
        "picks": shown,
        "why_nobody": "" if ranking else why_nobody(ranking.needs, (await asnapshot()).pool),
        "chosen": None if place is None else chosen,
        "has_prompt": bool(wanted.prompt.strip()),
    }


async def ask_from(request: HttpRequest, form: PromptForm) -> Ask:
    """Raises Http404 where the conversation is not the user's."""
    data = form.cleaned_data
    conversation_id = data.get("conversation")
    if conversation_id is not None:
        own = Conversation.objects.of(await request.auser())
        if not await own.filter(pk=conversation_id).aexists():
            raise Http404("There is no such conversation of yours.")
    return Ask(
        prompt=data.get("prompt", ""),
        system=data.get("system", ""),
        task=form.task_choice,
        max_tokens=data.get("max_tokens"),
        conversation_id=conversation_id,
    )

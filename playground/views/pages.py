"""Pages to read: the composer, a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from catalog.snapshot import asnapshot
from freellm_site.lib.roles import Role, has_role
from playground.forms import PROMPT_CHARACTERS, PromptForm, kept_by
from playground.missing import missing_model
from playground.models import Conversation, Run
from playground.orphans import settle_if_interrupted
from playground.planning import Ask
from playground.presenting import ShownRun
from playground.totals import total
from playground.views.composing import picks_context

arender = sync_to_async(render)

_RECENT = 8
_ID_DIGITS = 18  # no id has more, and thousands of digits are more than Python reads
_EXAMPLES = (
    "Explain in three sentences why the sky is blue.",
    "Write a Python function that retries an HTTP request with exponential backoff.",
    "A bat and a ball cost 1.10 together; the bat costs 1 more than the ball. What is the ball?",
    "Translate into German: The early bird catches the worm.",
)


@require_safe
async def home(request: HttpRequest) -> HttpResponse:
    """The composer; `?prompt=` and `?model=<slug>` fill it."""
    return await show_page(request, None, await _form_from_address(request))


@require_safe
async def conversation(request: HttpRequest, pk: int) -> HttpResponse:
    """A conversation; the next turn goes with the system prompt and parameters of the last."""
    try:
        found = await Conversation.objects.of(await request.auser()).aget(pk=pk)
    except Conversation.DoesNotExist as error:
        raise Http404("There is no such conversation of yours.") from error
    last = await Run.objects.for_conversation(found).filter(retry_of=None).alast()
    form = await _form_from_address(request, kept_by(last) if last else {})
    return await show_page(request, found, form)


async def show_page(
    request: HttpRequest, found: Conversation | None, form: PromptForm, status: int = 200
) -> HttpResponse:
    """The composer, below what was said so far."""
    user = await request.auser()
    own = Conversation.objects.for_history(user, "")
    context: dict[str, Any] = {
        "form": form,
        "history_count": await own.acount(),
        "has_offers": bool((await asnapshot()).candidates),
        "examples": _EXAMPLES,
        "can_ask": has_role(user, Role.OPERATOR),
        "missing": await missing_model(request.GET.get("model", "")),
        **await picks_context(_ask_of(form, found), _number(form["offer"].value())),
    }
    if found is None:
        context["recent"] = [one async for one in own[:_RECENT]]
    else:
        context |= {"conversation": found, **await _said(found)}
    return await arender(request, "playground/home.html", context, status=status)


async def _said(found: Conversation) -> dict[str, Any]:
    runs = [run async for run in Run.objects.for_conversation(found).select_related("conversation")]
    for run in runs:
        await settle_if_interrupted(run)
    newest = max(runs, key=lambda run: run.position, default=None)
    return {
        "runs": [ShownRun(run) for run in runs],
        "latest": ShownRun(newest) if newest else None,
        "totals": total(runs),
    }


async def _form_from_address(
    request: HttpRequest, kept: Mapping[str, Any] = MappingProxyType({})
) -> PromptForm:
    """An unbound form; a model that nobody offers and an overlong prompt are left out."""
    slug = request.GET.get("model", "")
    offers = (await asnapshot()).of_model(slug) if slug else []
    initial = {
        "prompt": request.GET.get("prompt", "")[:PROMPT_CHARACTERS],
        "offer": offers[0].offer_id if offers else None,
        "may_fall_back": True,
        "use_caches": True,
        **kept,
    }
    return PromptForm(initial=initial)


def _ask_of(form: PromptForm, found: Conversation | None) -> Ask:
    return Ask(
        prompt=(form["prompt"].value() or "")[:PROMPT_CHARACTERS],
        system=form["system"].value() or "",
        conversation_id=found.pk if found else None,
    )


def _number(value: object) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS else None

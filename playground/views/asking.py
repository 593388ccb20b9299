"""Sending prompts: the run, its stream, its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from catalog.recommend import picks
from freellm_site.lib.closing import until_closing
from freellm_site.lib.event_stream import EventStreamResponse
from freellm_site.lib.htmx import HtmxRequest, render_swap
from freellm_site.lib.roles import Role, has_role, require_role
from playground.forms import PromptForm
from playground.models import Conversation, Run, RunState
from playground.planning import CannotPlan, rank
from playground.presenting import ShownRun
from playground.running import carry_out, stop_here, watch
from playground.services import ask, ask_again, ask_of, claim
from playground.stream import run_events, signed_out
from playground.totals import totals_of
from playground.views.composing import ask_from
from playground.views.pages import show_page

arender = sync_to_async(render)


@require_POST
@require_role(Role.OPERATOR)
async def send(request: HtmxRequest) -> HttpResponse:
    """Queue the run; htmx gets the bubble and a region that streams, others wait for the end."""
    form = PromptForm(request.POST)
    if not form.is_valid():
        return await _refused(request, form)
    wanted = await ask_from(request, form)
    try:
        run = await ask(await request.auser(), wanted, form.cleaned_data["offer"], form.parameters)
    except CannotPlan as error:
        form.add_error(None, str(error))
        return await _refused(request, form)
    return await _begun(request, run, is_new=wanted.conversation_id is None)


@require_GET
@require_role(Role.OPERATOR)
async def others(request: HtmxRequest, pk: int) -> HttpResponse:
    """The best models that a run's prompt has not been answered by."""
    run = await own_run(request, pk)
    ranking = await rank(ask_of(run))
    rest = picks(ranking, without_model=ShownRun(run).label[0])
    return await sync_to_async(render_swap)(
        request,
        "playground/others.html",
        "playground/_others.html",
        {"run": run, "picks": rest},
    )


@require_POST
@require_role(Role.OPERATOR)
async def retry(request: HtmxRequest, pk: int) -> HttpResponse:
    """The same prompt again, with the offer named in the form or whoever is best now."""
    run = await own_run(request, pk)
    form = PromptForm(request.POST)
    form.is_valid()  # only the offer is read; without one the best is asked
    try:
        again = await ask_again(run, form.cleaned_data.get("offer"), await request.auser())
    except CannotPlan as error:
        context = {"shown": ShownRun(run), "problem": str(error)}
        response = await arender(request, "playground/_problem.html", context, status=422)
        response["HX-Retarget"] = "#composer-errors"
        response["HX-Reswap"] = "innerHTML"
        return response
    return await _begun(request, again, is_new=False)


@require_POST
@require_role(Role.OPERATOR)
async def stop(request: HtmxRequest, pk: int) -> HttpResponse:
    """Stop a run wherever it is carried out; its stream then tells the page how it ended."""
    run = await own_run(request, pk)
    own = Run.objects.filter(pk=run.pk)
    await own.aupdate(is_stop_asked=True)
    await own.filter(state=RunState.QUEUED).aupdate(
        state=RunState.STOPPED, finished_at=timezone.now()
    )
    stop_here(run.pk)
    if request.htmx:
        return HttpResponse(status=204)
    return HttpResponseRedirect(run.conversation.get_absolute_url())


@login_not_required  # a redirect to a page would mean nothing to an event stream
@require_GET
async def stream(request: HttpRequest, pk: int) -> EventStreamResponse:
    user = await request.auser()
    if not user.is_authenticated:
        return EventStreamResponse(_only(signed_out()))
    run = await own_run(request, pk)
    return EventStreamResponse(run_events(run, may_start=has_role(user, Role.OPERATOR)))


async def _only(one: bytes) -> AsyncGenerator[bytes, None]:
    yield one


async def own_run(request: HttpRequest, pk: int) -> Run:
    try:
        return await Run.objects.of(await request.auser()).aget(pk=pk)
    except Run.DoesNotExist as error:
        raise Http404("There is no such run of yours.") from error


async def _refused(request: HtmxRequest, form: PromptForm) -> HttpResponse:
    """422 with the reasons; for htmx only these, because the browser still has what was typed."""
    if not request.htmx:
        return await show_page(request, await _conversation_of(request, form), form, status=422)
    response = await arender(request, "playground/_refused.html", {"form": form}, status=422)
    response["HX-Retarget"] = "#composer-errors"
    response["HX-Reswap"] = "innerHTML"
    return response


async def _conversation_of(request: HttpRequest, form: PromptForm) -> Conversation | None:
    pk = form.cleaned_data.get("conversation")
    if pk is None:
        return None
    return await Conversation.objects.of(await request.auser()).filter(pk=pk).afirst()


async def _answered(run: Run) -> None:
    """Carry the run out to its end; where the server ends first, the page tells."""
    if await claim(run):
        carry_out(run)
    async with aclosing(until_closing(watch(run))) as looks:
        async for _ in looks:
            pass


async def _begun(request: HtmxRequest, run: Run, *, is_new: bool) -> HttpResponse:
    if not request.htmx:
        await _answered(run)
        return HttpResponseRedirect(f"{run.conversation.get_absolute_url()}#run-{run.pk}")
    own = Conversation.objects.of(await request.auser())
    context = {
        "shown": ShownRun(run),
        "is_new": is_new,
        "can_ask": True,
        "totals": await totals_of(run.conversation_id),
        "history_count": await own.acount(),
    }
    html = await sync_to_async(render_to_string)("playground/_begun.html", context, request)
    response = HttpResponse(html)
    if is_new:
        response["HX-Push-Url"] = run.conversation.get_absolute_url()
    return response

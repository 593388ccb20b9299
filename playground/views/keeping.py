"""What is kept: the history, renaming, deleting, taking a conversation away."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.text import slugify
from django.views.decorators.http import require_POST, require_safe

from freellm_site.lib.htmx import HtmxRequest, render_swap
from playground.exporting import as_json, as_markdown
from playground.forms import TitleForm
from playground.models import Conversation
from playground.services import delete_conversation

_PER_PAGE = 25
_SEARCH_CHARACTERS = 200


@require_safe
def history(request: HtmxRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()[:_SEARCH_CHARACTERS]
    found = Conversation.objects.for_history(request.user, text)
    # An unknown page in the address is the nearest one there is.
    page = Paginator(found, _PER_PAGE).get_page(request.GET.get("page"))
    return render_swap(
        request,
        "playground/history.html",
        "playground/_history_rows.html",
        {"page": page, "text": text},
    )


@require_POST
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    form = TitleForm(request.POST)
    if form.is_valid():
        # An update, because the conversation may have been deleted since it was read.
        Conversation.objects.filter(pk=found.pk).update(title=form.cleaned_data["title"])
        messages.success(request, "Renamed.")
    else:
        messages.error(request, " ".join(map(str, form.errors["title"])))
    return redirect(found)


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    delete_conversation(_own(request, pk))
    messages.success(request, "Conversation deleted.")
    return redirect("playground:history")


@require_safe
def export(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    found = _own(request, pk)
    response: HttpResponse
    if form == "json":
        response = JsonResponse(as_json(found), json_dumps_params={"indent": 2})
    else:
        response = HttpResponse(as_markdown(found), content_type="text/markdown; charset=utf-8")
    name = slugify(found.title)[:60] or f"conversation-{found.pk}"
    response["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response


def _own(request: HttpRequest, pk: int) -> Conversation:
    return get_object_or_404(Conversation.objects.of(request.user), pk=pk)

"""The catalog: every model with its offers folded inside, or every offer."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from catalog.columns import COLUMNS, choices, columns, shown_of
from catalog.facets import facets
from catalog.filters import VIEWS, chips
from catalog.model_list import MOST_ASKED, by_left, model_lines
from catalog.models import Change, ListChoice, Refresh
from catalog.rows import ModelRow
from catalog.selection import Selection, select
from catalog.views.addresses import tell_address
from freellm_site.lib.htmx import HtmxRequest, render_swap

PER_PAGE = 25
LATEST_CHANGES = 6
DENSITIES = ("comfortable", "compact")
COOKIE_AGE_S = 365 * 24 * 3600


@require_safe
def browse(request: HtmxRequest) -> HttpResponse:
    selection = select(request.GET)
    asked, found = selection.asked, selection.found
    rows, notices = _ordered(selection)
    paginator = Paginator(rows, PER_PAGE)
    is_beyond = asked.page > paginator.num_pages
    page = paginator.page(min(asked.page, paginator.num_pages))
    shown = _shown(request, asked.view)
    context = {
        "asked": asked,
        "notices": [*asked.notices, *notices],
        "page": page,
        "is_beyond": is_beyond,
        "lines": model_lines(list(page), selection),
        "model_count": len({row.slug for row in rows}) if asked.is_by_offer else len(rows),
        "offer_count": found.offer_count,
        "is_swap": _is_swap(request),
        "shown": shown,
        "columns": columns(asked, shown),
        "column_choices": choices(asked.view, shown),
        "views": [
            (asked.seen_as(name), title, name == asked.view) for name, title in VIEWS.items()
        ],
        "chips": chips(asked, selection.labels),
        "facets": facets(found, asked.filters, selection.labels),
        "density": _density(request),
        "densities": [(name, name.capitalize()) for name in DENSITIES],
        **_frame(request),
    }
    status = 404 if is_beyond else 200
    response = render_swap(
        request, "catalog/model_list.html", "catalog/_results.html", context, status
    )
    tell_address(request, response, asked.address())
    if request.GET.get("density") in DENSITIES:
        response.set_cookie("density", context["density"], max_age=COOKIE_AGE_S, samesite="Lax")
    return response


@require_POST
def choose_columns(request: HttpRequest) -> HttpResponse:
    """Keep which columns somebody wants to see in one of the views; none is a choice, too."""
    view = request.POST.get("view", "")
    view = view if view in COLUMNS else "models"
    choice, _ = ListChoice.objects.get_or_create(pk=request.user.pk)
    is_usual = "usual" in request.POST
    wanted = None if is_usual else sorted(shown_of(view, request.POST.getlist("column")))
    choice.columns = {**choice.columns, view: wanted}
    choice.save(update_fields=["columns"])
    address = request.POST.get("address", "")
    return redirect(reverse("catalog:list") + (address if address.startswith("?") else ""))


def _ordered(selection: Selection) -> tuple[list[ModelRow], list[str]]:
    """The rows in the order asked for, and what there is to say of how they were found."""
    rows, sort = selection.found.models, selection.asked.filters.sort
    notices = [
        f"Nothing is called “{word}”; shown is what holds {_either(alike)}."
        for word, alike in selection.found.alike.items()
    ]
    if sort.removeprefix("-") != "left":
        return rows, notices
    ordered = by_left(rows, selection, is_descending=sort.startswith("-"))
    if ordered is None:
        notices.append(
            f"More than {MOST_ASKED} of these offers can be called, too many to sort by what is "
            "left of them. They stand by name; choose a filter and they are sorted."
        )
    return ordered or rows, notices


def _either(words: Any) -> str:
    *others, last = (f"“{word}”" for word in words)
    return f"{', '.join(others)} or {last}" if others else last


def _shown(request: HtmxRequest, view: str) -> frozenset[str]:
    kept = ListChoice.objects.filter(pk=request.user.pk).values_list("columns", flat=True).first()
    return shown_of(view, (kept or {}).get(view))


def _density(request: HtmxRequest) -> str:
    asked = request.GET.get("density") or request.COOKIES.get("density")
    return asked if asked in DENSITIES else DENSITIES[0]


def _is_swap(request: HtmxRequest) -> bool:
    htmx = request.htmx
    return bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def _frame(request: HtmxRequest) -> dict[str, Any]:
    """What stands around the results; a swap of the results needs none of it."""
    if _is_swap(request):
        return {}
    return {
        "latest_changes": Change.objects.select_related("provider", "offer__model")[
            :LATEST_CHANGES
        ],
        "last_refresh": Refresh.objects.filter(finished_at__isnull=False).first(),
    }

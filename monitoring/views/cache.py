"""The cache: how far a call has to go, what is kept, and the way to remove a wrong answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from catalog.models import Provider
from catalog.tasks import warm_cache
from freellm_site.lib import format as formats
from freellm_site.lib.roles import Role, has_role, require_role
from gateway.cache.clearing import Gone
from gateway.cache.shelf import kind_of
from gateway.store import StoreAwayError
from monitoring import charts
from monitoring.acting import done
from monitoring.caching.entries import EntryRow, cleared, entry_of, page_of
from monitoring.caching.forms import ClearForm
from monitoring.caching.picture import LABELS, RANGES, CachePicture
from monitoring.caching.sampler import CACHE
from monitoring.exporting import csv_file
from monitoring.models import TaskRecord
from monitoring.sampling import channel, newest
from monitoring.tasking.picture import TaskRow
from monitoring.views.traffic import PLOTLY_STYLES


@require_safe
@csp_update(PLOTLY_STYLES)
def cache(request: HttpRequest) -> HttpResponse:
    """`?range=1h|24h|7d|90d&kind=completion`; what is unknown is said on the page."""
    return _page(request, ClearForm())


def _page(request: HttpRequest, form: ClearForm, status: int = 200) -> HttpResponse:
    samples, away_since_s = newest(CACHE)
    context: dict[str, Any] = {
        "away_since": away_since_s and datetime.fromtimestamp(away_since_s, UTC),
        "is_live": channel(CACHE.name) is not None,
        "may_act": has_role(request.user, Role.ADMIN),
        "form": form,
        "warmed": _warmed(),
        "problem": _problem(request),
        "ranges": [one.range for one in RANGES.values()],
        "kinds": [(name, label) for name, (label, _) in LABELS.items()],
    }
    if samples:
        shown = CachePicture.asked(samples[-1].value, request.GET)
        context |= {
            "shown": shown,
            "chart": charts.CACHE,
            "figure": charts.figure_fields(
                charts.CACHE, shown.times, shown.columns, shown.range.tick_format
            ),
            "legend": [(trace, shown.totals[trace.column]) for trace in charts.CACHE.traces],
            "known_tags": [f"provider:{one}" for one in _slugs()] if context["may_act"] else [],
        }
    return render(request, "monitoring/cache/cache.html", context, status=status)


@require_safe
def cache_figures(request: HttpRequest) -> HttpResponse:
    """The chart's numbers as a file of CSV."""
    samples, _ = newest(CACHE)
    problem = _problem(request) or ("" if samples else "Redis is away: there are no figures now.")
    if problem:
        status = 400 if samples else 503
        return HttpResponse(problem, status=status, content_type="text/plain; charset=utf-8")
    shown = CachePicture.asked(samples[-1].value, request.GET)
    header = ["start", *(f"{name}_percent" for name in shown.columns)]
    rows = zip(shown.times, *shown.columns.values(), strict=True)
    return csv_file(f"cache-{shown.kind}-{shown.range.key}", header, rows)


@require_safe
def cache_entries(request: HttpRequest, kind: str) -> HttpResponse:
    """What lies in Redis of a kind, a piece at a time; admins may look for words in it."""
    known = kind_of(kind)
    if known is None or known.is_secret:
        raise Http404(f"No entries of “{kind}” are listed.")
    is_admin = has_role(request.user, Role.ADMIN)
    text = request.GET.get("q", "").strip()[:200] if is_admin else ""
    cursor = request.GET.get("cursor", "")
    context = {
        "kind": kind,
        "label": LABELS[kind][0],
        "may_act": is_admin,
        "text": text,
        "is_first": not cursor,
    }
    try:
        page = page_of(kind, cursor if cursor.isdecimal() else "", text)
    except StoreAwayError:
        return render(request, "monitoring/cache/entries.html", {**context, "is_away": True})
    context |= {"rows": [EntryRow(one, is_admin) for one in page.entries], "next": page.cursor}
    return render(request, "monitoring/cache/entries.html", context)


@require_safe
@require_role(Role.ADMIN)
def cache_entry(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    known = kind_of(kind)
    if known is None or known.is_secret:
        raise Http404(f"No entries of “{kind}” are shown.")
    try:
        kept = entry_of(kind, name)
    except StoreAwayError as error:
        raise Http404("Redis is away: what it holds cannot be shown now.") from error
    if kept is None:
        raise Http404("This entry is gone: its time was over, or somebody removed it.")
    context = {"row": EntryRow(kept, shows_owner=True), "kind": kind, "label": LABELS[kind][0]}
    return render(request, "monitoring/cache/entry.html", context)


@require_POST
@require_role(Role.ADMIN)
def cache_clear(request: HttpRequest) -> HttpResponse:
    """Remove one entry, a kind, a tag or all; in every process within a second."""
    form = ClearForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    began = time.monotonic()
    gone = cleared(form.wanted())
    CACHE.forget()
    url = reverse("monitoring:cache")
    if form.cleaned_data["what"] == "entry":
        url = reverse("monitoring:cache-entries", args=[form.cleaned_data["kind"]])
    return done(request, _in_words(gone, time.monotonic() - began), url)


@require_POST
@require_role(Role.OPERATOR)
def cache_warm(request: HttpRequest) -> HttpResponse:
    """Have a worker fetch ahead what prompts will ask for, as after each refresh."""
    url = reverse("monitoring:cache")
    try:
        warm_cache.apply_async(retry=False)
    except OperationalError:
        words = "The task queue does not answer. Check the broker, then try again."
        return done(request, words, url, is_error=True)
    return done(request, "A worker warms the cache; how that goes stands beside it.", url)


def _warmed() -> TaskRow | None:
    last = TaskRecord.objects.filter(name=warm_cache.name).order_by("-pk").first()
    return TaskRow(last) if last else None


def _in_words(gone: Gone, took_s: float) -> str:
    if gone.redis is None:
        return "Removed here. Redis is away: the other processes hear of it when it answers again."
    entries = formats.counted(gone.redis, "entry").replace("entrys", "entries")
    took = formats.seconds(took_s)
    return f"{entries} removed from Redis, {formats.quantity(gone.disk)} from this disk, in {took}."


def _problem(request: HttpRequest) -> str:
    range_, kind = request.GET.get("range", ""), request.GET.get("kind", "")
    if range_ and range_ not in RANGES:
        return f"“{range_[:40]}” is no range. Choose one of {', '.join(RANGES)}."
    if kind and kind not in LABELS:
        return f"“{kind[:40]}” is no kind of data that is kept. Answers are shown."
    return ""


def _slugs() -> list[str]:
    return list(Provider.objects.filter(is_retired=False).values_list("slug", flat=True))

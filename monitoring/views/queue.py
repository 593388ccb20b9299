"""The queue: who waits for what and for how long still, and the controls beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from catalog.engine import engine
from freellm_site.lib.roles import Role, has_role, require_role
from gateway.client import Gateway
from gateway.dispatch.sharing import ALL
from gateway.store import StoreAwayError
from monitoring import charts
from monitoring.acting import done
from monitoring.exporting import csv_file
from monitoring.queueing.forms import HoldForm
from monitoring.queueing.picture import QueuePicture, provider_choices
from monitoring.queueing.sampler import QUEUE
from monitoring.ranges import LIVE
from monitoring.sampling import channel, newest
from monitoring.views.traffic import PLOTLY_STYLES

_AWAY = "Redis is away: nothing was told to the other processes. Try again when it answers."

T = TypeVar("T")


@require_safe
@csp_update(PLOTLY_STYLES)
def queue(request: HttpRequest) -> HttpResponse:
    """`?provider=slug` chooses whose calls and limit are shown."""
    return _page(request)


def _page(request: HttpRequest, form: HoldForm | None = None, status: int = 200) -> HttpResponse:
    samples, away_since_s = newest(QUEUE)
    if form is None and has_role(request.user, Role.ADMIN):
        form = HoldForm(initial={"provider": request.GET.get("provider", ALL)})
    context: dict[str, Any] = {
        "away_since": away_since_s and datetime.fromtimestamp(away_since_s, UTC),
        "is_live": channel(QUEUE.name) is not None,
        "may_act": form is not None,
        "form": form,
        "range": LIVE,
    }
    if samples:
        shown = QueuePicture.asked(samples, request.GET)
        context |= {
            "shown": shown,
            "choices": provider_choices(shown),
            "chart": charts.QUEUE,
            "figure": charts.figure_fields(charts.QUEUE, shown.times, shown.columns),
            "legend": [(trace, shown.totals[trace.column]) for trace in charts.QUEUE.traces],
            "figures": list(zip(shown.times, *shown.columns.values(), strict=True))[::-1],
        }
    return render(request, "monitoring/queue/queue.html", context, status=status)


@require_safe
def queue_figures(request: HttpRequest) -> HttpResponse:
    """The chart's numbers as a file of CSV."""
    samples, _ = newest(QUEUE)
    if not samples:
        words = "Redis is away: there are no figures now."
        return HttpResponse(words, status=503, content_type="text/plain; charset=utf-8")
    shown = QueuePicture.asked(samples, request.GET)
    rows = zip(shown.times, *shown.columns.values(), strict=True)
    return csv_file("queue", ["start", *shown.columns], rows)


@require_POST
@require_role(Role.ADMIN)
def queue_hold(request: HttpRequest) -> HttpResponse:
    """Pause or drain; in every process within a second."""
    form = HoldForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    wish = form.cleaned_data
    by = str(request.user)

    def hold(gateway: Gateway) -> Awaitable[None]:
        return gateway.queues.hold(
            wish["provider"], wish["how"], for_s=wish["for_s"], by=by, reason=wish["reason"]
        )

    name = dict(form.fields["provider"].choices)[wish["provider"]]  # type: ignore[attr-defined]  # a ChoiceField
    verb = {"pause": "paused", "drain": "drained"}[wish["how"]]
    return _told(request, hold, f"{name} is being {verb}.")


@require_POST
@require_role(Role.ADMIN)
def queue_release(request: HttpRequest) -> HttpResponse:
    provider = request.POST.get("provider", "")[:80]
    return _told(request, lambda gateway: gateway.queues.release(provider), "Calls go on.")


@require_POST
@require_role(Role.ADMIN)
def queue_call_off(request: HttpRequest) -> HttpResponse:
    """Take a call out, in whichever process it is. One that is over already stays as it ended."""
    call_id = request.POST.get("call_id", "")[:64]
    why = f"Taken out of the queue by {request.user}."
    return _told(
        request,
        lambda gateway: gateway.queues.call_off(call_id, why),
        f"Call …{call_id[-6:]} is taken out, unless it was over already.",
    )


def _told(request: HttpRequest, wish: Callable[[Gateway], Awaitable[T]], text: str) -> HttpResponse:
    async def tell() -> T:
        async with engine() as gateway:
            return await wish(gateway)

    url = reverse("monitoring:queue")
    try:
        async_to_sync(tell)()
    except StoreAwayError:
        return done(request, _AWAY, url, is_error=True)
    return done(request, text, url)

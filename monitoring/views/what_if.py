"""The past replayed by proposed limits, before anything of them holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from csp.decorators import csp_update
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh
from kombu.exceptions import OperationalError

from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, require_role
from gateway.policy import Scope
from monitoring import charts
from monitoring.tasks import replay_calls
from monitoring.tuning import what_if
from monitoring.tuning.changes import overrides_in_force, version_in_force
from monitoring.tuning.drafts import draft_of
from monitoring.tuning.page import proposals_of, provider_names
from monitoring.tuning.wording import place_of
from monitoring.views.traffic import PLOTLY_STYLES
from monitoring.views.tuning import posted, tuning_page

_NO_WORKER = "No worker can be asked just now: the queue of background work does not answer."


@require_POST
@require_role(Role.ADMIN)
def tuning_what_if(request: HttpRequest) -> HttpResponse:
    """Begin a replay of what was typed in the form, and lead to it."""
    draft, in_force = posted(request)
    if not draft.is_sound:
        return tuning_page(request, draft, in_force, status=422)
    fields = {name: str(value) for name, value in request.POST.items()}
    fields.pop("csrfmiddlewaretoken", None)
    job, is_short = what_if.begin(fields, fields.pop("span", ""))
    if what_if.find(job.id) is None:
        messages.error(request, "Redis is away: the past can be replayed when it is back.")
        return tuning_page(request, draft, in_force, status=503)
    if is_short:
        what_if.run(job)
    else:
        try:
            replay_calls.delay(job.id)
        except OperationalError:
            job.state, job.detail = "failed", _NO_WORKER
            job.keep()
    return HttpResponseRedirect(reverse("monitoring:tuning-replay", args=[job.id]))


@require_safe
@require_role(Role.ADMIN)
@csp_update(PLOTLY_STYLES)  # type: ignore[arg-type]  # its stub knows no views with arguments
def tuning_replay(plain: HttpRequest, job: str) -> HttpResponse:
    """How far it is; once it is over, what came of it."""
    request, found = cast("HtmxRequest", plain), what_if.find(job)
    if found is None:
        raise Http404("This replay is no longer kept. Begin it anew from the tuning page.")
    if request.htmx:
        if found.is_over:
            return HttpResponseClientRefresh()
        return render(request, "monitoring/tuning/_replaying.html", {"job": found})
    return render(request, "monitoring/tuning/what_if.html", _context(found))


def _context(job: what_if.WhatIf) -> dict[str, Any]:
    in_force, names = overrides_in_force(), provider_names()
    scope = Scope(job.fields.get("provider", ""), job.fields.get("model", ""))
    draft = draft_of(job.fields, scope, in_force, version_in_force())
    result = job.result
    return {
        "job": job,
        "draft": draft,
        "scope": scope,
        "place": place_of(scope, names),
        "proposed": proposals_of(draft, in_force),
        "result": result,
        "since": datetime.fromtimestamp(result["since_s"], UTC) if result else None,
        "panels": _panels(job) if result.get("count") else [],
        "figures": _figures(job) if result.get("count") else [],
    }


def _panels(job: what_if.WhatIf) -> list[dict[str, Any]]:
    columns = job.result["columns"]
    return [
        {
            "chart": chart,
            "figure": charts.figure_fields(chart, _times(job), columns, job.range.tick_format),
            "figure_id": f"figure-{chart.key}",
            "legend": [(trace, sum(columns[trace.column])) for trace in chart.traces],
        }
        for chart in (charts.REPLAYED_THROUGH, charts.REPLAYED_REFUSED)
    ]


def _figures(job: what_if.WhatIf) -> list[tuple[str, list[int]]]:
    """For who cannot see the charts."""
    chosen = (*charts.REPLAYED_THROUGH.columns, *charts.REPLAYED_REFUSED.columns)
    columns = [job.result["columns"][name] for name in chosen]
    return [(time, list(row)) for time, *row in zip(_times(job), *columns, strict=True)]


def _times(job: what_if.WhatIf) -> list[str]:
    zone = timezone.get_current_timezone()
    return [
        datetime.fromtimestamp(start, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        for start in job.result["starts"]
    ]

"""Background work: who does it, what waits, how it ended, and the way to do it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery import current_app
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from catalog.paging import Listing
from freellm_site.lib.roles import Role, has_role, require_role
from monitoring.acting import done
from monitoring.models import ENDED, TaskRecord, TaskState
from monitoring.sampling import channel, newest
from monitoring.tasking.picture import TaskRow, TasksPicture
from monitoring.tasking.sampler import TASKS

PER_PAGE = 50


@require_safe
def tasks(request: HttpRequest) -> HttpResponse:
    samples, away_since_s = newest(TASKS)
    context: dict[str, Any] = {
        "away_since": away_since_s and datetime.fromtimestamp(away_since_s, UTC),
        "is_live": channel(TASKS.name) is not None,
        "may_act": has_role(request.user, Role.ADMIN),
    }
    if samples:
        context["shown"] = TasksPicture(samples[-1].value)
    return render(request, "monitoring/tasks/tasks.html", context)


@require_safe
def task_history(request: HttpRequest) -> HttpResponse:
    """`?state=failed&name=...`: every task that ended within the last week."""
    state, name = request.GET.get("state", ""), request.GET.get("name", "")[:150]
    found = TaskRecord.objects.ended()
    if state in ENDED:
        found = found.filter(state=state)
    if name:
        found = found.filter(name=name)
    number = request.GET.get("page", "1")
    asked = max(1, int(number)) if number.isdecimal() and len(number) <= 9 else 1  # noqa: PLR2004 - digits
    chosen = {key: value for key, value in (("state", state), ("name", name)) if value}
    listing = Listing.of(found, asked, PER_PAGE, chosen)
    context = {
        "listing": listing,
        "rows": [TaskRow(one) for one in listing.page],
        "state": state,
        "name": name,
        "states": [(one.value, one.label) for one in ENDED],
        "names": sorted(one for one in current_app.tasks if not one.startswith("celery.")),
        "may_act": has_role(request.user, Role.ADMIN),
    }
    return render(request, "monitoring/tasks/history.html", context)


@require_POST
@require_role(Role.ADMIN)
def task_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Call off a task that waits; whichever worker takes it, it does not begin."""
    record = get_object_or_404(TaskRecord, pk=pk)
    waiting = TaskRecord.objects.filter(pk=pk, state=TaskState.QUEUED)
    words = f"Called off by {request.user}."
    revoked = waiting.update(state=TaskState.REVOKED, finished_at=timezone.now(), detail=words)
    url = reverse("monitoring:tasks")
    label = TaskRow(record).label
    if not revoked:
        return done(request, f"“{label}” has begun already.", url, is_error=True)
    return done(request, f"“{label}” is called off.", url)


@require_POST
@require_role(Role.ADMIN)
def task_retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Send it again, with the same arguments."""
    record = get_object_or_404(TaskRecord, pk=pk)
    url = reverse("monitoring:tasks")
    label = TaskRow(record).label
    if record.arguments is None or record.name not in current_app.tasks:
        return done(request, f"“{label}” cannot be sent again.", url, is_error=True)
    try:
        current_app.send_task(record.name, **record.arguments, retry=False)
    except OperationalError:
        words = "The task queue does not answer. Check the broker, then try again."
        return done(request, words, url, is_error=True)
    return done(request, f"“{label}” was sent again.", url)

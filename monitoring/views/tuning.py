"""Tuning: what holds where, why, and what if it were changed. Admins change, others read."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from catalog.models import Offer
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, has_role, require_role
from gateway.policy import Scope
from monitoring.models import Tuning, TuningChange
from monitoring.tuning.changes import (
    Contradicts,
    NothingToChange,
    Overtaken,
    Values,
    Why,
    overrides_in_force,
    save,
    undo,
    version_in_force,
)
from monitoring.tuning.drafts import Draft, draft_of
from monitoring.tuning.held import held
from monitoring.tuning.page import groups_of, proposals_of, provider_names, tree_of
from monitoring.tuning.publishing import publish_now
from monitoring.tuning.wording import history_rows, place_of, words_of

HISTORY_BESIDE = 6
HISTORY_PAGE = 30


@require_safe
def tuning(request: HttpRequest) -> HttpResponse:
    """`?provider=slug&model=id` names the level; without them it is the default of everything."""
    scope = _scope(request.GET)
    return tuning_page(request, Draft(scope, version_in_force()), overrides_in_force())


@require_POST
@require_role(Role.ADMIN)
def tuning_preview(plain: HttpRequest) -> HttpResponse:
    """What would change: beside the form for htmx, else the whole page with what was typed."""
    request = cast("HtmxRequest", plain)
    draft, in_force = posted(request)
    if request.htmx:
        return render(request, "monitoring/tuning/_proposed.html", _proposed(draft, in_force))
    return tuning_page(request, draft, in_force)


@require_POST
@require_role(Role.ADMIN)
def tuning_save(request: HttpRequest) -> HttpResponse:
    draft, _ = posted(request)
    if draft.is_sound:
        try:
            save(draft.edits, Why(request.user.get_username(), draft.why), draft.seen)
        except NothingToChange:
            messages.info(request, "Nothing was changed: all of it is like that already.")
            return _back(draft.scope)
        except Contradicts as refusal:
            draft.problems = list(refusal.problems)
        except Overtaken as refusal:
            draft.overtaken_by, draft.seen = list(refusal.by), version_in_force()
        else:
            tell_published(request)
            return _back(draft.scope)
    return tuning_page(request, draft, overrides_in_force(), status=422)


@require_POST
@require_role(Role.ADMIN)
def tuning_undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Back to where it was done from."""
    change = get_object_or_404(TuningChange.objects.with_steps(), pk=pk)
    try:
        undo(change, request.user.get_username())
    except NothingToChange:
        messages.info(request, "That has been taken back already.")
    except Overtaken as refusal:
        told = ", ".join(f"“{words_of(step).label}”" for step in refusal.by[:3]) or "it"
        messages.error(request, f"Not taken back: {told} was changed again since. Undo that first.")
    except Contradicts as refusal:
        messages.error(request, f"Not taken back: {refusal.problems[0]}")
    else:
        tell_published(request)
    return _back(_scope(request.POST))


@require_safe
def tuning_history(request: HttpRequest) -> HttpResponse:
    """Every change, the newest first; of one level where the address names one."""
    scope, names = _scope(request.GET), provider_names()
    changes = TuningChange.objects.about(scope).with_steps()
    page = Paginator(changes, HISTORY_PAGE).get_page(request.GET.get("page"))
    context = {
        "scope": scope,
        "place": place_of(scope, names),
        "page": page,
        "history": history_rows(page.object_list, names),
        "is_admin": has_role(request.user, Role.ADMIN),
    }
    return render(request, "monitoring/tuning/history.html", context)


@require_safe
def tuning_held(request: HttpRequest) -> HttpResponse:
    """Which processes hold the newest version; asked again until all of them do."""
    return render(request, "monitoring/tuning/_held.html", {"held": held(version_in_force())})


def tuning_page(
    request: HttpRequest, draft: Draft, in_force: Values, status: int = 200
) -> HttpResponse:
    scope, names = draft.scope, provider_names()
    changes = TuningChange.objects.about(scope)
    beside = changes.with_steps()[:HISTORY_BESIDE]
    context = {
        **_proposed(draft, in_force),
        "names": names,
        "place": place_of(scope, names),
        "provider_name": names.get(scope.provider, scope.provider),
        "groups": groups_of(draft, in_force, _published(scope)),
        "tree": tree_of(scope, in_force, names, whole="all" in request.GET),
        "default_count": len(in_force.get(Scope(), {})),
        "history": history_rows(beside, names),
        "history_count": changes.count(),
        "held": held(version_in_force()),
        "unknown": _unknown_fields(in_force),
        "is_admin": has_role(request.user, Role.ADMIN),
    }
    return render(request, "monitoring/tuning/page.html", context, status=status)


def _proposed(draft: Draft, in_force: Values) -> dict[str, Any]:
    return {
        "draft": draft,
        "scope": draft.scope,
        "proposed": proposals_of(draft, in_force),
        "overtaken": [(step, words_of(step)) for step in draft.overtaken_by],
    }


def posted(request: HttpRequest) -> tuple[Draft, Values]:
    in_force = overrides_in_force()
    fields = {name: str(value) for name, value in request.POST.items()}
    return draft_of(fields, _scope(request.POST), in_force, version_in_force()), in_force


def _scope(asked: Any) -> Scope:
    """The level an address or a form names; Http404 where there is none such."""
    scope = Scope(asked.get("provider", ""), asked.get("model", ""))
    if (
        scope == Scope()
        or Tuning.objects.filter(provider=scope.provider, model=scope.model).exists()
    ):
        return scope
    if not scope.provider or (not scope.model and scope.provider not in provider_names()):
        raise Http404("There is no such provider to be tuned.")
    offers = Offer.objects.filter(provider__slug=scope.provider, external_id=scope.model)
    if scope.model and not offers.exists():
        raise Http404("There is no such offer to be tuned.")
    return scope


def _published(scope: Scope) -> dict[str, int]:
    """The limits of the offer that is tuned, as the catalog has them."""
    if not scope.model:
        return {}
    offer = (
        Offer.objects.filter(provider__slug=scope.provider, external_id=scope.model)
        .select_related("provider")
        .first()
    )
    return dict(offer.effective_limits) if offer else {}


def _unknown_fields(in_force: Values) -> list[str]:
    """Names of fields that are kept, but that this version of the product has not."""
    known = {name for own in in_force.values() for name in own}
    names = Tuning.objects.order_by("name").values_list("name", flat=True).distinct()
    return [name for name in names if name not in known]


def tell_published(request: HttpRequest) -> None:
    """Publish what was saved, and say on the next page how that went."""
    if publish_now():
        messages.success(request, "Saved. It holds in every process within a second.")
    else:
        messages.warning(
            request,
            "Saved. Redis is away: the web processes hold it in a moment, workers when it is back.",
        )


def _back(scope: Scope) -> HttpResponse:
    named = {"provider": scope.provider, "model": scope.model}
    query = urlencode({key: value for key, value in named.items() if value})
    path = reverse("monitoring:tuning")
    return HttpResponseRedirect(f"{path}?{query}" if query else path)

"""What admins chose of an offer, a model or a provider: everybody reads it, admins change it."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from catalog.choice_form import ChoiceForm
from catalog.choice_list import choice_lines, home_of, subject_of
from catalog.choices import KINDS, Subject, take_back
from catalog.models import Aspect, Choice, Offer
from freellm_site.lib.format import counted
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, has_role, require_role


@require_safe
def choice_page(request: HtmxRequest, kind: str, pk: int) -> HttpResponse:
    subject = _subject(kind, pk)
    is_hidden = isinstance(subject, Offer) and subject.is_hidden
    if is_hidden and not has_role(request.user, Role.ADMIN):
        raise Http404
    return _show(request, kind, subject, ChoiceForm(subject))


@require_POST
@require_role(Role.ADMIN)
def choose(request: HtmxRequest, kind: str, pk: int) -> HttpResponse:
    subject = _subject(kind, pk)
    form = ChoiceForm(subject, request.POST)
    if not form.is_valid():
        return _show(request, kind, subject, form)
    changed = form.save(request.user)
    if changed:
        messages.success(request, f"{counted(changed, 'choice')} changed for {subject}.")
    else:
        messages.info(request, "Nothing was changed: all of it holds already.")
    return redirect("catalog:choices", kind, pk)


@require_POST
@require_role(Role.ADMIN)
def choice_take_back(request: HtmxRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Choice, pk=pk)
    subject, aspect = row.subject, Aspect(row.aspect)
    if row.ended_at is None and take_back([subject], aspect, request.user):
        told = f"{aspect.label} of {subject} is left to what its provider says again."
        messages.success(request, told)
    else:
        messages.info(request, "This choice was taken back or replaced already.")
    return redirect("catalog:choices", KINDS[type(subject)], subject.pk)


def _subject(kind: str, pk: int) -> Subject:
    subject = subject_of(kind, pk)
    if subject is None:
        raise Http404
    return subject


def _show(request: HtmxRequest, kind: str, subject: Subject, form: ChoiceForm) -> HttpResponse:
    held, history = choice_lines(subject)
    context = {
        "kind": kind,
        "subject": subject,
        "home": home_of(subject),
        "form": form,
        "held": held,
        "history": history,
    }
    return render(request, "catalog/choices.html", context, status=422 if form.errors else 200)

"""The tuned values as a file, to be kept or carried to another house."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from freellm_site.lib.roles import Role, require_role
from gateway.policy.rules import problems_of
from monitoring.models import ChangeKind
from monitoring.tuning.changes import (
    NotSaved,
    Overtaken,
    Values,
    Why,
    changed,
    overrides_in_force,
    save,
    version_in_force,
)
from monitoring.tuning.drafts import WHY_LENGTH
from monitoring.tuning.exchange import (
    MOST_BYTES,
    UnreadableFile,
    as_yaml,
    edits_between,
    from_yaml,
)
from monitoring.tuning.page import provider_names
from monitoring.tuning.wording import place_of, told
from monitoring.views.tuning import tell_published

_PAGE = "monitoring/tuning/import.html"


@require_safe
def tuning_export(request: HttpRequest) -> HttpResponse:
    text = as_yaml(overrides_in_force())
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="freellm-tuning.yaml"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.ADMIN)
def tuning_import(request: HttpRequest) -> HttpResponse:
    """First a preview of what the file changes; nothing holds until that is applied."""
    if request.method != "POST":
        return render(request, _PAGE, {"most_kb": MOST_BYTES // 1000})
    now, seen = overrides_in_force(), request.POST.get("seen", "")
    text, problem = _sent(request)
    context = {"text": text, "why": request.POST.get("why", ""), "most_kb": MOST_BYTES // 1000}
    try:
        wanted = {} if problem else from_yaml(text)
    except UnreadableFile as error:
        problem = str(error)
    if problem:
        return render(request, _PAGE, {**context, "problems": problem.splitlines()}, status=422)
    context |= _preview(now, wanted)
    if context["problems"]:
        return render(request, _PAGE, context, status=422)
    if "apply" not in request.POST or not seen.isdigit():
        return render(request, _PAGE, {**context, "seen": version_in_force()})
    return _apply(request, now, wanted, context)


def _apply(
    request: HttpRequest, now: Values, wanted: Values, context: dict[str, object]
) -> HttpResponse:
    reason = request.POST.get("why", "").strip()[:WHY_LENGTH] or "imported from a file"
    why = Why(request.user.get_username(), reason, ChangeKind.IMPORT)
    try:
        save(edits_between(now, wanted), why, int(request.POST["seen"][:17]))
    except Overtaken:
        problems = ["Somebody changed the tuning meanwhile. Look at the differences once more."]
        again = {**context, "problems": problems, "seen": version_in_force()}
        return render(request, _PAGE, again, status=422)
    except NotSaved:
        messages.info(request, "Nothing was changed: all of it is like that already.")
    else:
        tell_published(request)
    return HttpResponseRedirect(reverse("monitoring:tuning"))


def _sent(request: HttpRequest) -> tuple[str, str]:
    """The file's text, or the text that was typed; and what is wrong with it."""
    file = request.FILES.get("file")
    if file is None:
        text = request.POST.get("text", "")
        return text, "" if text.strip() else "Choose a file, or paste its text."
    if (file.size or 0) > MOST_BYTES:
        return "", f"The file is larger than {MOST_BYTES // 1000} kB."
    try:
        return file.read().decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return "", "The file is not text in UTF-8."


def _preview(now: Values, wanted: Values) -> dict[str, object]:
    names = provider_names()
    edits = edits_between(now, wanted)
    lines = [
        (
            place_of(one.scope, names),
            one.name,
            told(one.name, now.get(one.scope, {}).get(one.name)),
            told(one.name, one.new),
        )
        for one in edits
    ]
    strangers = sorted({scope.provider for scope in wanted} - {"", *names})
    problems = [str(one) for one in problems_of(changed(now, edits))]
    return {"lines": lines, "strangers": strangers, "problems": problems, "is_previewed": True}

"""Keys of a provider: add, check, switch, remove. Admins only."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from catalog.forms import KeyForm
from catalog.key_check import KeyReport, check_key
from catalog.key_store import NewKey, SameKey, keep_report, remove_key, store_key, switch_key
from catalog.keys import KeyOrigin, UsableKey, environment_extra, environment_key, open_key
from catalog.models import KeyVerdict, Provider, ProviderKey
from catalog.views.providers import provider_context
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, require_role
from gateway.types import Secret

CANNOT_OPEN = (
    "This key cannot be decrypted: the value of FIELD_ENCRYPTION_KEYS it was encrypted with is "
    "gone. Remove it and enter it again."
)


@sensitive_post_parameters("secret")
@require_POST
@require_role(Role.ADMIN)
async def add_key(request: HtmxRequest, slug: str) -> HttpResponse:
    """Check, then keep. A wrong key is kept only by "Keep without checking"."""
    provider = await sync_to_async(get_object_or_404)(Provider, slug=slug)
    form = KeyForm(provider, request.POST)
    if not await sync_to_async(form.is_valid)():
        return await sync_to_async(_show)(request, provider, form=form, status=422)
    report = None
    if "unchecked" not in request.POST:
        report = await check_key(provider, _typed_key(form))
        if report.verdict == KeyVerdict.WRONG_KEY:
            return await sync_to_async(_show)(
                request, provider, form=form, report=report, status=422
            )
    return await sync_to_async(_keep)(request, form, report)


@require_POST
@require_role(Role.ADMIN)
async def recheck_key(request: HtmxRequest, pk: int) -> HttpResponse:
    row, key = await sync_to_async(_opened)(pk)
    if key is None:
        return await sync_to_async(_back)(request, row.provider, CANNOT_OPEN, is_error=True)
    report = await check_key(row.provider, key)
    await sync_to_async(keep_report)(row, report)
    return await sync_to_async(_checked)(request, row.provider, report, row)


@require_POST
@require_role(Role.ADMIN)
async def check_environment_key(request: HtmxRequest, slug: str) -> HttpResponse:
    provider = await sync_to_async(get_object_or_404)(Provider, slug=slug)
    key = environment_key(provider)
    if key is None:
        text = f"{provider.env_var or 'No variable'} is not set in the environment."
        return await sync_to_async(_back)(request, provider, text, is_error=True)
    report = await check_key(provider, key)
    return await sync_to_async(_checked)(request, provider, report, None)


@require_POST
@require_role(Role.ADMIN)
def key_switch(request: HtmxRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(ProviderKey.objects.select_related("provider"), pk=pk)
    switch_key(row, is_enabled=request.POST.get("is_enabled") == "1")
    word = "used again" if row.is_enabled else "no longer used"
    return _back(request, row.provider, f"“{row.label}” is {word}.")


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.ADMIN)
def key_remove(request: HtmxRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(ProviderKey.objects.select_related("provider"), pk=pk)
    if request.method != "POST":
        return render(request, "catalog/key_remove.html", {"key": row})
    remove_key(row)
    return _back(request, row.provider, f"“{row.label}” was removed.")


def _typed_key(form: KeyForm) -> UsableKey:
    return UsableKey(
        key_id="new",
        secret=Secret(form.cleaned_data["secret"]),
        extra={**environment_extra(form.provider), **form.extra},
        label=form.cleaned_data["label"],
        origin=KeyOrigin.STORED,
    )


def _opened(pk: int) -> tuple[ProviderKey, UsableKey | None]:
    row = get_object_or_404(ProviderKey.objects.select_related("provider"), pk=pk)
    return row, open_key(row, row.provider)


def _keep(request: HtmxRequest, form: KeyForm, report: KeyReport | None) -> HttpResponse:
    secret = Secret(form.cleaned_data["secret"])
    new = NewKey(form.provider, secret, form.cleaned_data["label"], form.extra)
    try:
        row = store_key(new, request.user.pk)
    except SameKey:
        form.add_error("secret", "This key was added a moment ago.")
        return _show(request, form.provider, form=form, status=422)
    if report is None:
        return _back(request, form.provider, f"“{row.label}” is kept. It was not checked.")
    keep_report(row, report)
    if request.htmx:  # the whole page changes: the provider can be called now
        return HttpResponse(headers={"HX-Redirect": _evidence_of(row)})
    return _checked(request, form.provider, report, row)


def _checked(
    request: HtmxRequest, provider: Provider, report: KeyReport, row: ProviderKey | None
) -> HttpResponse:
    if request.htmx:
        return _show(request, provider, report=report, row=row)
    tone = messages.SUCCESS if report.verdict == KeyVerdict.WORKS else messages.WARNING
    messages.add_message(request, tone, f"{report.verdict.label}. {report.detail}")
    return redirect(_evidence_of(row) if row else f"{provider.get_absolute_url()}#keys")


def _evidence_of(row: ProviderKey) -> str:
    """Where the page shows what the key's last check saw."""
    return f"{row.provider.get_absolute_url()}?checked={row.pk}#keys"


def _back(
    request: HtmxRequest, provider: Provider, text: str, *, is_error: bool = False
) -> HttpResponse:
    messages.add_message(request, messages.ERROR if is_error else messages.SUCCESS, text)
    if request.htmx:
        return HttpResponse(headers={"HX-Redirect": f"{provider.get_absolute_url()}#keys"})
    return redirect(f"{provider.get_absolute_url()}#keys")


def _show(
    request: HtmxRequest,
    provider: Provider,
    *,
    form: KeyForm | None = None,
    report: KeyReport | None = None,
    row: ProviderKey | None = None,
    status: int = 200,
) -> HttpResponse:
    """The keys, with what a check found; the whole page for who has no script."""
    context = provider_context(request, provider, form=form, report=report, checked=row)
    if not request.htmx:
        return render(request, "catalog/provider_detail.html", context, status=status)
    if form is None:
        return render(request, "catalog/_keys.html", context)
    # Only what is to be said: the form stays as it is, the typed key in it.
    context["is_swap"] = True
    response = render(request, "catalog/_key_answer.html", context, status=status)
    response["HX-Retarget"], response["HX-Reswap"] = "#key-answer", "outerHTML"
    return response

"""Own endpoints: add, change, remove. Admins only."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from catalog.endpoints import (
    Answered,
    Endpoint,
    EndpointGone,
    ask_endpoint,
    remove_endpoint,
    save_endpoint,
)
from catalog.forms import EndpointForm
from catalog.models import Origin, Provider
from freellm_site.lib.htmx import HtmxRequest
from freellm_site.lib.roles import Role, require_role
from gateway.types import Secret


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.ADMIN)
async def endpoint_add(request: HtmxRequest) -> HttpResponse:
    return await _edit(request, None)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.ADMIN)
async def endpoint_edit(request: HtmxRequest, slug: str) -> HttpResponse:
    provider = await sync_to_async(get_object_or_404)(Provider, slug=slug, origin=Origin.OWN)
    return await _edit(request, provider)


@require_http_methods(["GET", "HEAD", "POST"])
@require_role(Role.ADMIN)
def endpoint_remove(request: HtmxRequest, slug: str) -> HttpResponse:
    provider = get_object_or_404(Provider, slug=slug, origin=Origin.OWN)
    if request.method != "POST":
        context = {
            "provider": provider,
            "offer_count": provider.offers.count(),
            "key_count": provider.keys.count(),
        }
        return render(request, "catalog/endpoint_remove.html", context)
    remove_endpoint(provider)
    messages.success(request, f"{provider.name} was removed.")
    return redirect("catalog:provider-list")


async def _edit(request: HtmxRequest, provider: Provider | None) -> HttpResponse:
    if request.method != "POST":
        form = EndpointForm(initial=await sync_to_async(_initial)(provider))
        return await sync_to_async(_show)(request, form, provider)
    form = EndpointForm(request.POST)
    if not form.is_valid():
        return await sync_to_async(_show)(request, form, provider)
    endpoint = _endpoint(form)
    answered = await ask_endpoint(endpoint, provider)
    if answered.problem:
        form.add_error(answered.field, answered.problem)
    if answered.problem or "test" in request.POST:
        return await sync_to_async(_show)(request, form, provider, answered)
    try:
        return await sync_to_async(_save)(request, endpoint, answered, provider)
    except EndpointGone:
        form.add_error(None, "This endpoint was removed meanwhile. To have it again, add it anew.")
        return await sync_to_async(_show)(request, form, provider)


def _save(
    request: HtmxRequest, endpoint: Endpoint, answered: Answered, provider: Provider | None
) -> HttpResponse:
    saved = save_endpoint(endpoint, answered.listed, provider, request.user.pk)
    messages.success(request, f"{saved.name} can be called now.")
    return redirect(saved)


def _endpoint(form: EndpointForm) -> Endpoint:
    data = form.cleaned_data
    return Endpoint(
        name=data["name"],
        base_url=data["base_url"],
        secret=Secret(data["secret"]) if data["secret"] else None,
        forgets_key=data["forgets_key"],
        allows_private_address=data["allows_private_address"],
        model_ids=tuple(data["model_ids"]),
    )


def _initial(provider: Provider | None) -> dict[str, object]:
    if provider is None:
        return {}
    typed = provider.list_dialect == "none"
    ids = provider.offers.filter(status="active").values_list("external_id", flat=True)
    return {
        "name": provider.name,
        "base_url": provider.base_url,
        "allows_private_address": provider.allows_private_address,
        "model_ids": "\n".join(ids) if typed else "",
    }


def _show(
    request: HtmxRequest,
    form: EndpointForm,
    provider: Provider | None,
    answered: Answered | None = None,
) -> HttpResponse:
    context = {
        "form": form,
        "provider": provider,
        "answered": answered,
        "has_key": provider is not None and provider.keys.exists(),
    }
    return render(
        request, "catalog/endpoint_form.html", context, status=422 if form.errors else 200
    )

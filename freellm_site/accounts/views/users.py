"""Who may come in, and as what: for admins."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from freellm_site.accounts import services
from freellm_site.accounts.forms import NewUserForm, RoleForm
from freellm_site.accounts.models import LINK_LIFETIME, User
from freellm_site.lib.htmx import HtmxRequest, render_swap
from freellm_site.lib.roles import Role, require_role

PAGE_SIZE = 50


@require_safe
@require_role(Role.ADMIN)
def user_list(request: HtmxRequest) -> HttpResponse:
    return _list_page(request, NewUserForm())


@never_cache
@require_POST
@require_role(Role.ADMIN)
def add_user(request: HtmxRequest) -> HttpResponse:
    form = NewUserForm(request.POST)
    if not form.is_valid():
        return _list_page(request, form, status=422)
    user = services.add_user(form.cleaned_data["username"], Role(form.cleaned_data["role"]))
    return _link_page(request, user)


@require_safe
@require_role(Role.ADMIN)
def user_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _detail_page(request, _someone(pk))


@require_POST
@require_role(Role.ADMIN)
def change_role(request: HttpRequest, pk: int) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        problem = f"There is no such role. Choose {', '.join(Role.labels)}."
        return _detail_page(request, _someone(pk), problem, status=422)
    try:
        user = services.change_role(_someone(pk).pk, Role(form.cleaned_data["role"]))
    except services.LastAdminError as error:
        return _detail_page(request, _someone(pk), str(error), status=409)
    messages.success(request, f"{user} is {Role(user.role).label.lower()} now.")
    return redirect("accounts:user-detail", pk=pk)


@require_POST
@require_role(Role.ADMIN)
def set_active(request: HttpRequest, pk: int) -> HttpResponse:
    is_active = request.POST.get("active") == "yes"
    try:
        user = services.set_active(_someone(pk).pk, is_active=is_active)
    except services.LastAdminError as error:
        return _detail_page(request, _someone(pk), str(error), status=409)
    if user == request.user and not is_active:
        logout(request)  # the session is gone, so a new one carries the message
    what = "may sign in again" if is_active else "is signed out and may not sign in"
    messages.success(request, f"{user} {what}.")
    return redirect("accounts:user-detail", pk=pk)


@never_cache
@require_POST
@require_role(Role.ADMIN)
def new_link(request: HttpRequest, pk: int) -> HttpResponse:
    user = _someone(pk)
    if not user.is_active:
        problem = f"{user} is deactivated. Activate the account first."
        return _detail_page(request, user, problem, status=409)
    return _link_page(request, user)


def _someone(pk: int) -> User:
    return get_object_or_404(User, pk=pk)


def _list_page(request: HtmxRequest, form: NewUserForm, status: int = 200) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    pages = Paginator(User.objects.for_user_list(query), PAGE_SIZE)
    context = {
        "form": form,
        "query": query,
        "page": pages.get_page(request.GET.get("page")),
    }
    return render_swap(
        request, "accounts/user_list.html", "accounts/_user_rows.html", context, status
    )


def _detail_page(
    request: HttpRequest, user: User, problem: str = "", status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"someone": user, "roles": Role, "problem": problem}
    return render(request, "accounts/user_detail.html", context, status=status)


def _link_page(request: HttpRequest, user: User) -> HttpResponse:
    """The only time the link is shown: it is kept as a hash."""
    context = {
        "someone": user,
        "link": services.sign_in_link(user, request.build_absolute_uri("/")),
        "hours": int(LINK_LIFETIME.total_seconds() // 3600),
    }
    return render(request, "accounts/user_link.html", context)

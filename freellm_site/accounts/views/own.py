"""One's own account: name, password, theme."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from freellm_site.accounts.forms import NameForm, NewPasswordForm, PasswordForm
from freellm_site.accounts.models import User
from freellm_site.accounts.views.sign_in import BY_LINK


@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest) -> HttpResponse:
    """Who came in by a link chooses a name and a password, or goes on without."""
    user = _me(request)
    if not request.session.get(BY_LINK):
        return redirect("accounts:account")
    typed = request.POST if request.method == "POST" else None
    name_form, password_form = NameForm(typed, instance=user), NewPasswordForm(user, typed)
    if typed is not None and name_form.is_valid() and password_form.is_valid():
        name_form.save()
        _save_password(request, password_form)
        messages.success(request, "Your name and password are kept.")
        return redirect("/")
    context = {"name_form": name_form, "password_form": password_form}
    return render(request, "accounts/welcome.html", context, status=422 if typed else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    user = _me(request)
    form = NameForm(request.POST if request.method == "POST" else None, instance=user)
    if form.is_valid():
        form.save()
        messages.success(request, f"Your name is {user.username} now.")
        return redirect("accounts:account")
    password_form = _password_form(request, user)
    return _account_page(request, {"name_form": form, "password_form": password_form})


@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    user = _me(request)
    form = _password_form(request, user, request.POST)
    if form.is_valid():
        _save_password(request, form)
        messages.success(request, "Your password is changed. Other devices are signed out.")
        return redirect("accounts:account")
    return _account_page(request, {"name_form": NameForm(instance=user), "password_form": form})


def _account_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/account.html", context, status=status)


def _password_form(request: HttpRequest, user: User, typed: Any = None) -> NewPasswordForm:
    needs_old = user.has_usable_password() and not request.session.get(BY_LINK)
    return (PasswordForm if needs_old else NewPasswordForm)(user, typed)


def _save_password(request: HttpRequest, form: NewPasswordForm) -> None:
    form.save()
    update_session_auth_hash(request, form.user)
    request.session.pop(BY_LINK, None)


def _me(request: HttpRequest) -> User:
    # A row of its own: a form that fails must not leave its name in the page's frame.
    return get_object_or_404(User, pk=request.user.pk)

"""Coming in and going out."""

from __future__ import annotations

import math
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from freellm_site.accounts import throttle
from freellm_site.accounts.forms import SignInForm
from freellm_site.accounts.models import SignInLink, User
from freellm_site.lib.htmx import HtmxRequest

BY_LINK = "signed_in_by_link"  # in the session: the password may be chosen without the old one
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HtmxRequest) -> HttpResponse:
    if request.htmx and request.method != "POST":
        return _whole_page_to_sign_in(request)
    if request.method == "POST":
        return _try_password(request)
    if request.user.is_authenticated:
        return redirect(_next(request))
    return _sign_in_page(request, SignInForm())


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_by_link(request: HttpRequest, token: str) -> HttpResponse:
    """GET only asks: programs that look at links in mails must not use them up."""
    if request.method != "POST":
        link = SignInLink.objects.open(token).select_related("user").first()
        context = {"link": link}
        return render(request, "accounts/link.html", context, status=200 if link else 410)
    user = SignInLink.objects.redeem(token)
    if user is None:
        return render(request, "accounts/link.html", {"link": None}, status=410)
    login(request, user, backend=_BACKEND)
    request.session[BY_LINK] = True
    return redirect("/" if user.has_usable_password() else "accounts:welcome")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("accounts:sign-in")


def _try_password(request: HttpRequest) -> HttpResponse:
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _sign_in_page(request, form, status=422)
    address, name = request.META.get("REMOTE_ADDR", ""), form.cleaned_data["username"]
    wait_s = throttle.attempt(address, name)
    if wait_s:
        return _too_many(request, form, wait_s)
    user = authenticate(request, username=name, password=form.cleaned_data["password"])
    if not isinstance(user, User):
        form.add_error(None, "Name and password do not fit together.")
        return _sign_in_page(request, form, status=422)
    throttle.forget(address, name)
    login(request, user)
    return redirect(_next(request))


def _too_many(request: HttpRequest, form: SignInForm, wait_s: int) -> HttpResponse:
    minutes = math.ceil(wait_s / 60)
    form.add_error(
        None,
        f"Too many attempts with this name. Try again in {minutes} "
        f"{'minute' if minutes == 1 else 'minutes'}, or ask an admin for a sign-in link.",
    )
    response = _sign_in_page(request, form, status=429)
    response["Retry-After"] = str(wait_s)
    return response


def _sign_in_page(request: HttpRequest, form: SignInForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "next": _next(request)}
    return render(request, "accounts/sign_in.html", context, status=status)


def _whole_page_to_sign_in(request: HtmxRequest) -> HttpResponse:
    """A fragment was asked for after the session ended: never swap a sign-in form into a page."""
    try:
        here = urlsplit(request.htmx.current_url or "/")
    except ValueError:  # not an address at all
        here = urlsplit("/")
    back = here.path + (f"?{here.query}" if here.query else "")
    return HttpResponseClientRedirect(f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': back})}")


def _next(request: HttpRequest) -> str:
    """Where to go on, if that is an address on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # Anything without a slash in front would be taken for the name of a view.
    return wanted if is_ours and wanted.startswith("/") else "/"

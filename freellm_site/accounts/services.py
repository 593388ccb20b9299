"""Writes to accounts: links, roles, who may still come in."""

from __future__ import annotations

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.cached_db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from freellm_site.accounts.models import SignInLink, User
from freellm_site.lib.roles import Role

FIRST_ADMIN = "admin"


class LastAdminError(Exception):
    """Nobody else could give the role back."""

    def __init__(self, user: User) -> None:
        super().__init__(
            f"{user} is the last active admin. Make someone else an admin first, "
            "or nobody could manage users and keys any more."
        )


def sign_in_link(user: User, base_url: str) -> str:
    """A new link for `user`; it replaces the ones not used yet."""
    # By the accounts' own addresses, which begin at the root: the site's would load every page,
    # and each start makes a link until an admin has signed in.
    token = SignInLink.objects.issue(user)
    path = reverse("sign-in-link", args=[token], urlconf="freellm_site.accounts.urls")
    return base_url.rstrip("/") + path


def first_sign_in_link(base_url: str) -> str | None:
    """A link for the first admin, until an admin has signed in once."""
    if User.objects.active_admins().filter(last_login__isnull=False).exists():
        return None
    return sign_in_link(an_admin(), base_url)


def an_admin() -> User:
    """The longest-standing active admin; made, without a password, where there is none."""
    admin = User.objects.active_admins().order_by("pk").first()
    return admin or add_user(_free_name(FIRST_ADMIN), Role.ADMIN)


def add_user(username: str, role: Role) -> User:
    """Someone who comes in by a link first and may choose a password then."""
    return User.objects.create_user(username=username, password=None, role=role)


@transaction.atomic
def change_role(user_id: int, role: Role) -> User:
    """Give the role; raises LastAdminError."""
    user = _locked(user_id)
    if role != Role.ADMIN:
        _check_not_last(user)
    user.role = role
    user.save(update_fields=["role"])
    return user


def set_active(user_id: int, *, is_active: bool) -> User:
    """Let someone in or keep them out, at once and on every device; raises LastAdminError."""
    user = _set_active(user_id, is_active=is_active)
    if not is_active:
        _end_sessions(user)
    return user


@transaction.atomic
def _set_active(user_id: int, *, is_active: bool) -> User:
    user = _locked(user_id)
    if not is_active:
        _check_not_last(user)
        SignInLink.objects.filter(user=user, used_at=None).delete()
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    return user


def _end_sessions(user: User) -> None:
    """Else they would hold again once the account is activated, a stolen one among them."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            SessionStore(session.session_key).delete()  # from the cache as well


def _locked(user_id: int) -> User:
    # All admins are locked, in one order, so that two admins who demote each other queue.
    list(User.objects.active_admins().select_for_update().order_by("pk").values_list("pk"))
    return User.objects.select_for_update().get(pk=user_id)


def _check_not_last(user: User) -> None:
    is_admin = user.is_active and user.role == Role.ADMIN
    if is_admin and not User.objects.active_admins().exclude(pk=user.pk).exists():
        raise LastAdminError(user)


def _free_name(wanted: str) -> str:
    name, number = wanted, 1
    while User.objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{wanted}{number}"
    return name

"""Users with one role each, and links that sign someone in once."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as AuthUserManager
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone

from freellm_site.lib.roles import Role, has_role

LINK_LIFETIME = timedelta(hours=24)


class UserManager(AuthUserManager["User"]):
    use_in_migrations = False

    def for_user_list(self, query: str) -> models.QuerySet[User]:
        """Everyone whose name contains `query`, those who may sign in first."""
        return self.filter(username__icontains=query).order_by("-is_active", Lower("username"))

    def active_admins(self) -> models.QuerySet[User]:
        return self.filter(role=Role.ADMIN, is_active=True)

    def create_superuser(self, *args: Any, **kwargs: Any) -> User:
        """Django's own command makes an admin of this site."""
        return super().create_superuser(*args, **{"role": Role.ADMIN, **kwargs})


class User(AbstractUser):
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="accounts_user_role_known"
            ),
            models.UniqueConstraint(
                Lower("username"),
                name="accounts_user_name_unique_in_any_case",
                violation_error_message="Someone has this name already. Choose another.",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def is_operator(self) -> bool:
        return has_role(self, Role.OPERATOR)

    @property
    def is_admin(self) -> bool:
        return has_role(self, Role.ADMIN)

    @property
    def state(self) -> str:
        """What an admin wants to know of an account first."""
        if not self.is_active:
            return "deactivated"
        return "active" if self.last_login else "invited"


class SignInLinkManager(models.Manager["SignInLink"]):
    def issue(self, user: User) -> str:
        """Make a link for `user` and return its token, which is stored only as a hash."""
        token = secrets.token_urlsafe(32)
        self.filter(user=user, used_at=None).delete()
        self.create(user=user, token_hash=_hash(token), expires_at=timezone.now() + LINK_LIFETIME)
        return token

    def open(self, token: str) -> models.QuerySet[SignInLink]:
        """The link of this token, unless it is used or too old, or its user deactivated."""
        return self.filter(
            token_hash=_hash(token),
            used_at=None,
            expires_at__gt=timezone.now(),
            user__is_active=True,
        )

    def redeem(self, token: str) -> User | None:
        """The user this token signs in, once; None when the link is not open any more."""
        with transaction.atomic():
            claimed = self.open(token).update(used_at=timezone.now())
            if claimed != 1:
                return None
            return self.select_related("user").get(token_hash=_hash(token)).user


class SignInLink(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[SignInLinkManager] = SignInLinkManager()

    def __str__(self) -> str:
        return f"Sign-in link for {self.user}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

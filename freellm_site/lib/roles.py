"""Who may do what: viewers read, operators call and refresh, admins change."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest

View = Callable[..., Any]


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    OPERATOR = "operator", "Operator"
    ADMIN = "admin", "Admin"


_RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


def has_role(user: Any, role: Role) -> bool:
    """Whether a signed-in user has at least `role`."""
    return bool(user.is_authenticated and _RANK[Role(user.role)] >= _RANK[role])


def require_role(role: Role) -> Callable[[View], View]:
    """Answer 403 to anyone below `role`; works on plain and async views."""

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                _check(await request.auser(), role)
                return await view(request, *args, **kwargs)

            return guarded_async

        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _check(request.user, role)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _check(user: Any, role: Role) -> None:
    if not has_role(user, role):
        raise PermissionDenied(f"This needs the role “{role.label}”. Ask an admin for it.")

"""Who reads as a program: a session, or a read token in a header or in a feed's address."""

from __future__ import annotations

from django.http import HttpRequest

from catalog.models import ReadToken

_LONGEST = 100
_SCHEME = "Bearer "


def may_read(request: HttpRequest, *, in_address: bool = False) -> bool:
    """Feed readers send no header, so theirs stands in the address; nobody else's may."""
    if request.user.is_authenticated:
        return True
    said = request.headers.get("Authorization", "")
    token = said.removeprefix(_SCHEME) if said.startswith(_SCHEME) else ""
    if not token and in_address:
        token = request.GET.get("token", "")
    return 0 < len(token) <= _LONGEST and ReadToken.objects.user_of(token) is not None

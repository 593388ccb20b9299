"""Who may ask each address of the site. A new address fails here until its role is written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from freellm_site.lib.roles import Role
from tests.factories import make_user

pytestmark = pytest.mark.django_db

ANYONE = None
NEEDS: dict[str, Role | None] = {
    "healthz": ANYONE,
    "readyz": ANYONE,
    "accounts:sign-in": ANYONE,
    "accounts:sign-in-link": ANYONE,
    "accounts:sign-out": Role.VIEWER,
    "accounts:welcome": Role.VIEWER,
    "accounts:account": Role.VIEWER,
    "accounts:change-password": Role.VIEWER,
    "accounts:user-list": Role.ADMIN,
    "accounts:add-user": Role.ADMIN,
    "accounts:user-detail": Role.ADMIN,
    "accounts:change-role": Role.ADMIN,
    "accounts:set-active": Role.ADMIN,
    "accounts:new-link": Role.ADMIN,
    "styleguide": Role.VIEWER,
    "catalog:list": Role.VIEWER,
    "catalog:choose-columns": Role.VIEWER,
    "catalog:compare": Role.VIEWER,
    "catalog:model-detail": Role.VIEWER,
    "catalog:provider-list": Role.VIEWER,
    "catalog:provider-detail": Role.VIEWER,
    "catalog:export": Role.VIEWER,
    # Programs have no session: without one or a token they are told so by a 401.
    "catalog:change-feed": ANYONE,
    "catalog:api-offers": ANYONE,
    "catalog:token-list": Role.VIEWER,
    "catalog:token-add": Role.VIEWER,
    "catalog:token-revoke": Role.VIEWER,
    "catalog:change-list": Role.VIEWER,
    "catalog:refresh": Role.OPERATOR,
    "catalog:refresh-detail": Role.VIEWER,
    "catalog:refresh-interval": Role.ADMIN,
    "catalog:held-apply": Role.ADMIN,
    "catalog:held-dismiss": Role.ADMIN,
    "catalog:simulator-switch": Role.ADMIN,
    "catalog:provider-switch": Role.ADMIN,
    "catalog:limit-probe-switch": Role.ADMIN,
    "catalog:choices": Role.VIEWER,
    "catalog:choose": Role.ADMIN,
    "catalog:choice-take-back": Role.ADMIN,
    "catalog:offers-switch": Role.ADMIN,
    "catalog:offer-hide": Role.ADMIN,
    "catalog:offer-show": Role.ADMIN,
    "catalog:key-add": Role.ADMIN,
    "catalog:environment-key-check": Role.ADMIN,
    "catalog:key-check": Role.ADMIN,
    "catalog:key-switch": Role.ADMIN,
    "catalog:key-remove": Role.ADMIN,
    "catalog:endpoint-add": Role.ADMIN,
    "catalog:endpoint-edit": Role.ADMIN,
    "catalog:endpoint-remove": Role.ADMIN,
    "playground:home": Role.VIEWER,
    "playground:recommend": Role.OPERATOR,
    "playground:send": Role.OPERATOR,
    # It tells who is signed out in its own words: a redirect would mean nothing to a stream.
    "playground:run-stream": ANYONE,
    "playground:run-stop": Role.OPERATOR,
    "playground:run-others": Role.OPERATOR,
    "playground:run-retry": Role.OPERATOR,
    "playground:history": Role.VIEWER,
    "playground:conversation": Role.VIEWER,
    "playground:rename": Role.VIEWER,
    "playground:delete": Role.VIEWER,
    "playground:export": Role.VIEWER,
    "monitoring:overview": Role.VIEWER,
    "monitoring:dismiss-first-steps": Role.VIEWER,
    "monitoring:metrics": Role.VIEWER,
    "monitoring:traffic": Role.VIEWER,
    "monitoring:traffic-rows": Role.VIEWER,
    "monitoring:traffic-standing": Role.VIEWER,
    "monitoring:traffic-figures": Role.VIEWER,
    "monitoring:live": Role.VIEWER,
    "monitoring:live-page": Role.VIEWER,
    "monitoring:cache": Role.VIEWER,
    "monitoring:cache-figures": Role.VIEWER,
    "monitoring:cache-clear": Role.ADMIN,
    "monitoring:cache-warm": Role.OPERATOR,
    "monitoring:cache-entries": Role.VIEWER,
    "monitoring:cache-entry": Role.ADMIN,
    "monitoring:breakers": Role.VIEWER,
    "monitoring:breaker-detail": Role.VIEWER,
    "monitoring:breaker-force": Role.ADMIN,
    "monitoring:limits": Role.VIEWER,
    "monitoring:limit-detail": Role.VIEWER,
    "monitoring:queue": Role.VIEWER,
    "monitoring:queue-figures": Role.VIEWER,
    "monitoring:queue-hold": Role.ADMIN,
    "monitoring:queue-release": Role.ADMIN,
    "monitoring:queue-call-off": Role.ADMIN,
    "monitoring:tasks": Role.VIEWER,
    "monitoring:task-history": Role.VIEWER,
    "monitoring:task-revoke": Role.ADMIN,
    "monitoring:task-retry": Role.ADMIN,
    "monitoring:call-list": Role.VIEWER,
    "monitoring:call-export": Role.VIEWER,
    "monitoring:call-detail": Role.VIEWER,
    "monitoring:tuning": Role.VIEWER,
    "monitoring:tuning-preview": Role.ADMIN,
    "monitoring:tuning-save": Role.ADMIN,
    "monitoring:tuning-held": Role.VIEWER,
    "monitoring:tuning-history": Role.VIEWER,
    "monitoring:tuning-what-if": Role.ADMIN,
    "monitoring:tuning-replay": Role.ADMIN,
    "monitoring:tuning-export": Role.VIEWER,
    "monitoring:tuning-import": Role.ADMIN,
    "monitoring:tuning-undo": Role.ADMIN,
}
PARTS = {
    "job": "nothing",
    "pk": 1,
    "slug": "nothing",
    "token": "nothing",
    "call_id": "nothing",
    "page": "traffic",
    "kind": "completion",
    "name": "nothing",
}
FORMS = {"catalog:export": "md", "playground:export": "md", "monitoring:call-export": "csv"}
RANKS = [None, Role.VIEWER, Role.OPERATOR, Role.ADMIN]


def _addresses(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for found in resolver.url_patterns:
        if isinstance(found, URLResolver):
            yield from _addresses(found, f"{found.namespace}:" if found.namespace else space)
        else:
            yield f"{space}{found.name}", found


ADDRESSES = dict(_addresses(get_resolver()))


def _path(name: str) -> str:
    wanted = ADDRESSES[name].pattern.regex.groupindex
    parts = {**PARTS, "form": FORMS.get(name)}
    return reverse(name, kwargs={part: parts[part] for part in wanted})


def _answers(name: str, role: Role | None) -> list[Any]:
    """By GET, then by POST, which may sign out."""
    client = Client(raise_request_exception=False)
    if role is not None:
        client.force_login(make_user(role=role))
    return [client.generic(method, _path(name)) for method in ("GET", "POST")]


def _is_refused(answer: Any) -> bool:
    to_sign_in: bool = answer.status_code == 302 and answer["Location"].startswith("/sign-in/")
    return bool(answer.status_code == 403) or to_sign_in


def test_every_address_has_its_role() -> None:
    """A new one is written down, and then holds."""
    assert ADDRESSES.keys() == NEEDS.keys()


@pytest.mark.parametrize("name", NEEDS)
def test_only_who_may_is_answered(name: str) -> None:
    """Who is below the role is refused by every method; who has it is not."""
    needed = RANKS.index(NEEDS[name])
    for rank, role in enumerate(RANKS):
        answers = _answers(name, role)
        refused = [_is_refused(answer) for answer in answers]
        codes = [answer.status_code for answer in answers]
        assert 500 not in codes, (role, codes)
        if rank < needed:
            assert any(refused), (role, codes)
            assert all(no or code == 405 for no, code in zip(refused, codes, strict=True)), role
        elif name != "accounts:sign-out":  # whose answer leads to the sign-in page for everyone
            assert not any(refused), (role, codes)

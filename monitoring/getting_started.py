"""The first steps with a new installation, ticked off by what has really happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from freellm_site.lib.roles import Role, has_role
from monitoring.health import ProviderHealth

DISMISSED_COOKIE = "getting-started"
WATCHED_COOKIE = "has-watched"
COOKIE_AGE_S = 400 * 86_400  # browsers keep none for longer


@dataclass(frozen=True, slots=True)
class FirstStep:
    title: str
    text: str
    url: str
    link: str
    is_done: bool


def first_steps(
    request: HttpRequest, healths: Sequence[ProviderHealth], *, has_calls: bool
) -> list[FirstStep]:
    """What this person's role may do; empty once all is done, or is to be seen no more."""
    if request.COOKIES.get(DISMISSED_COOKIE):
        return []
    # A password is no step for who has one already: most chose it on the page before this.
    steps = [] if _has_password(request) else [_password()]
    if has_role(request.user, Role.OPERATOR):
        steps.append(_prompt(has_calls=has_calls))
    if has_role(request.user, Role.ADMIN):
        steps.append(_key(healths))
    steps.append(_watching(request))
    return [] if all(step.is_done for step in steps) else steps


def _has_password(request: HttpRequest) -> bool:
    return bool(request.user.is_authenticated and request.user.has_usable_password())


def _password() -> FirstStep:
    return FirstStep(
        "Choose a password",
        "The link you came by works once.",
        reverse("accounts:account"),
        "Set your password",
        is_done=False,
    )


def _prompt(*, has_calls: bool) -> FirstStep:
    return FirstStep(
        "Try a prompt",
        "With no key yet, the simulator answers, and says so.",
        reverse("playground:home"),
        "Open the playground",
        has_calls,
    )


def _key(healths: Sequence[ProviderHealth]) -> FirstStep:
    return FirstStep(
        "Add a key",
        "A free key from any provider; most take two minutes.",
        reverse("catalog:provider-list"),
        "Choose a provider",
        any(not one.is_simulated for one in healths),
    )


def _watching(request: HttpRequest) -> FirstStep:
    return FirstStep(
        "Watch the calls",
        "Rates, times and tokens, as they happen.",
        reverse("monitoring:traffic"),
        "Open traffic",
        bool(request.COOKIES.get(WATCHED_COOKIE)),
    )

"""Prints a new one-time sign-in link, for who is locked out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from freellm_site.accounts.models import User
from freellm_site.accounts.services import an_admin, sign_in_link
from freellm_site.start.ground import running_address


class Command(BaseCommand):
    help = "Print a one-time sign-in link; without a name for an admin, who is made if need be."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _named(options["username"]) if options["username"] else an_admin()
        address = running_address(settings.VAR_DIR) or settings.PUBLIC_URL
        self.stdout.write(sign_in_link(user, address))


def _named(username: str) -> User:
    user = User.objects.filter(username__iexact=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}. An admin can add one under /users/.")
    if not user.is_active:
        raise CommandError(f"{user} is deactivated. Activate the account under /users/ first.")
    return user
